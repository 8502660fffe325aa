use super::*;

const RATE: Rate = Rate { burst: 3, every: Duration::from_millis(10) };

fn taken(bucket: &mut Bucket, times: usize, now: Timestamp) -> usize {
    (0..times).filter(|_| bucket.take(RATE, now)).count()
}

#[test]
fn a_burst_passes_and_then_one_at_a_time() {
    let mut bucket = Bucket::default();
    let now = Timestamp::from_millis(1000);
    assert_eq!(taken(&mut bucket, 10, now), 3);
    assert_eq!(taken(&mut bucket, 10, now + Duration::from_millis(9)), 0);
    assert_eq!(taken(&mut bucket, 10, now + Duration::from_millis(10)), 1);
    assert_eq!(taken(&mut bucket, 10, now + Duration::from_millis(30)), 2);
}

#[test]
fn long_rest_saves_up_no_more_than_a_burst() {
    let mut bucket = Bucket::default();
    assert_eq!(taken(&mut bucket, 10, Timestamp::ZERO), 3);
    assert_eq!(taken(&mut bucket, 10, Timestamp::from_millis(60_000)), 3);
}

#[test]
fn asking_takes_nothing() {
    let bucket = Bucket::default();
    assert!((0..10).all(|_| bucket.has(RATE, Timestamp::ZERO)));
    assert_eq!(bucket, Bucket::default());
}

#[test]
fn an_unused_bucket_is_full() {
    let mut bucket = Bucket::default();
    assert!(bucket.full_at() <= Timestamp::ZERO);
    bucket.take(RATE, Timestamp::from_millis(5));
    assert_eq!(bucket.full_at(), Timestamp::from_millis(15));
}
