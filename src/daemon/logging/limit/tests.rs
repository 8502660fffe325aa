use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tracing_subscriber::layer::SubscriberExt;

/// Counts the events that get through.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl<S: Subscriber> Layer<S> for Count {
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// How many lines are written of those that `log` writes.
fn written(log: impl FnOnce()) -> usize {
    let count = Count::default();
    let subscriber = tracing_subscriber::registry().with(Limit::default()).with(count.clone());
    tracing::subscriber::with_default(subscriber, log);
    count.0.load(Ordering::Relaxed)
}

#[test]
fn one_peer_fills_its_own_share_and_no_other() {
    let flood = written(|| (0..10_000).for_each(|_| tracing::warn!(peer = "loud", "the same")));
    assert!((30..40).contains(&flood), "{flood}");
    let both = written(|| {
        for _ in 0..10_000 {
            tracing::warn!(peer = "loud", "the same");
        }
        tracing::warn!(peer = "quiet", "something else");
    });
    assert!((31..41).contains(&both), "{both}");
}

#[test]
fn what_was_left_out_is_counted_and_the_share_comes_back() {
    let limit = Limit::default();
    let start = Instant::now();
    let told = (0..1_000).filter(|_| limit.take(7, start).is_some()).count();
    assert_eq!(told, 30);
    assert_eq!(limit.take(7, start + Duration::from_secs(1)), Some(970));
    assert_eq!(limit.take(7, start + Duration::from_secs(1)), None);
    assert_eq!(limit.take(7, start + Duration::from_secs(60)), Some(1));
}

#[test]
fn strangers_cannot_make_it_remember_without_end() {
    let limit = Limit::default();
    let start = Instant::now();
    let told = (1..200_000).filter(|kind| limit.take(*kind, start).is_some()).count();
    assert!(told <= REMEMBERED + 30, "{told}");
    assert!(limit.buckets.lock().expect("not poisoned").by_kind.len() <= REMEMBERED + 1);
}

#[test]
fn what_an_operator_asks_for_is_written() {
    assert_eq!(written(|| (0..1_000).for_each(|_| tracing::debug!(peer = "p", "detail"))), 1_000);
}
