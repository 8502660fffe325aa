use super::*;
use crate::crypto::sign::{SigningKey, VerifyingKey};
use std::fmt;

impl Job {
    /// Does the work without secrets: every key exchange and every signature is plain to see.
    pub fn run_transparently(self) -> JobAnswer {
        let transparent =
            |ours: Ephemeral| KeyExchange::transparent(ours.group, ours.seed.as_bytes()[0]);
        let signature_of = |key: &VerifyingKey| [*key.as_bytes(); 2].concat();
        let done = match self.work {
            Work::Generate(ours) => Done::Generated(Ok(transparent(ours))),
            Work::Prepare(all) => Done::Prepared(Ok(all.into_iter().map(transparent).collect())),
            Work::Agree { ours, public } => Done::Agreed(ours.agree(&public)),
            Work::Respond { ours, public } => {
                Done::Responded(transparent(ours).respond_transparently(&public))
            }
            Work::Sign { key: PrivateKey::Ed25519(key), scheme, .. } => {
                Done::Signed(scheme.payload(&signature_of(&key.verifying_key())))
            }
            Work::Verify { evidence, signature, .. } => {
                let find = |one: &Evidence| match one {
                    Evidence::Key(key) if signature_of(key) == signature => Finding::Fits,
                    Evidence::Key(_) => Finding::DoesNotFit,
                    Evidence::Certificates(_) => panic!("certificates are not transparent"),
                };
                Done::Verified(evidence.iter().map(find).collect())
            }
            Work::Sign { .. } => panic!("only Ed25519 is transparent"),
            Work::Recheck(_) => panic!("certificates are not transparent"),
        };
        JobAnswer { id: self.id, done }
    }
}

impl Jobs {
    /// The jobs that wait, in their order, with what makes their secrets.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub(crate) fn write_state(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let turns = [&self.of_peers, &self.of_strangers].into_iter();
        for job in turns.flat_map(|turns| turns.queues.values().flatten()) {
            write!(out, "{:?}", job.id)?;
            match &job.work {
                Work::Generate(ours) => write!(out, "{:?}", ours.seed.as_bytes())?,
                Work::Agree { ours, public } => write!(out, "{:?}{public:?}", ours.public())?,
                Work::Respond { ours, public } => {
                    write!(out, "{:?}{public:?}", ours.seed.as_bytes())?;
                }
                Work::Prepare(all) => {
                    let seeds = all.iter().map(|ours| ours.seed.as_bytes());
                    write!(out, "{:?}", seeds.collect::<Vec<_>>())?;
                }
                Work::Sign { .. } | Work::Verify { .. } | Work::Recheck(_) => {}
            }
        }
        Ok(())
    }
}

const STATE: IkeSpi = IkeSpi([1; 8]);
const CLIENT: Client = Client::Connection(ConnectionId(1));

fn ephemeral(seed: u8) -> Ephemeral {
    Ephemeral { group: Group::Curve25519, seed: Secret::copy_of(&[seed; 32]) }
}

fn generate(seed: u8) -> KeyExchange {
    match Work::Generate(ephemeral(seed)).run() {
        Done::Generated(Ok(ours)) => ours,
        other => panic!("a key exchange, not {other:?}"),
    }
}

#[test]
fn both_sides_of_a_key_exchange_come_to_the_same_secret() {
    let initiator = generate(1);
    let public = initiator.public().to_vec();
    let responded = Work::Respond { ours: ephemeral(2), public }.run();
    let Done::Responded(Ok((public, theirs))) = responded else { panic!("{responded:?}") };
    let agreed = Work::Agree { ours: initiator, public }.run();
    let Done::Agreed(Ok(ours)) = agreed else { panic!("{agreed:?}") };
    assert_eq!(ours, theirs);
}

#[test]
fn a_signature_is_the_key_s_whose_it_is_and_no_other_s() {
    let (key, other) = (SigningKey::from_seed(&[1; 32]), SigningKey::from_seed(&[2; 32]));
    let keys = [other.verifying_key(), key.verifying_key()];
    let (algorithm, octets) = (Algorithm::Ed25519, b"octets".to_vec());
    let signature = key.sign(&octets).to_vec();
    let evidence = keys.map(Evidence::Key).to_vec();
    let verified = Work::Verify { evidence, algorithm, octets, signature }.run();
    let Done::Verified(verified) = verified else { panic!("{verified:?}") };
    assert!(matches!(verified[..], [Finding::DoesNotFit, Finding::Fits]), "{verified:?}");
}

#[test]
fn work_that_nobody_waits_for_any_more_is_left_out() {
    let mut jobs = Jobs::default();
    let first = jobs.ask(CLIENT, STATE, Work::Generate(ephemeral(1)));
    let second = jobs.ask(CLIENT, STATE, Work::Generate(ephemeral(2)));
    assert_eq!(jobs.unanswered(), 2);
    let polled = jobs.poll(|job| job != first).unwrap();
    assert_eq!((polled.run().id, jobs.unanswered()), (second, 1));
    jobs.on_answer();
    assert_eq!(jobs.unanswered(), 0);
    assert!(jobs.poll(|_| true).is_none());
}

#[test]
fn strangers_wait_when_much_is_unanswered() {
    let mut jobs = Jobs::default();
    for _ in 0..MAX_JOBS_WITH_STRANGERS {
        assert!(!jobs.is_full());
        jobs.ask(CLIENT, STATE, Work::Generate(ephemeral(1)));
    }
    assert!(jobs.is_full());
    jobs.on_answer();
    assert!(!jobs.is_full());
}

/// Whose jobs come out, in the order in which they do; IKE SAs are named after their clients.
fn served(jobs: &mut Jobs) -> Vec<u8> {
    std::iter::from_fn(|| jobs.poll(|_| true)).map(|job| job.id.sa.0[0]).collect()
}

fn ask(jobs: &mut Jobs, client: Client, name: u8) {
    jobs.ask(client, IkeSpi([name; 8]), Work::Generate(ephemeral(1)));
}

fn stranger(host: u8) -> Client {
    Client::Stranger(Source::of([203, 0, 113, host].into()))
}

#[test]
fn whoever_asks_for_much_work_keeps_nobody_waiting() {
    let mut jobs = Jobs::default();
    let [hostile, honest] = [1, 2].map(|number| Client::Connection(ConnectionId(number)));
    (0..5).for_each(|_| ask(&mut jobs, hostile, 1));
    ask(&mut jobs, honest, 2);
    assert_eq!(served(&mut jobs), [1, 2, 1, 1, 1, 1]);
}

#[test]
fn strangers_have_every_second_turn_however_many_they_are() {
    let mut jobs = Jobs::default();
    (10..16).for_each(|host| ask(&mut jobs, stranger(host), host));
    let expected = Client::Expected(Source::of([192, 0, 2, 1].into()));
    (0..2).for_each(|_| ask(&mut jobs, expected, 1));
    ask(&mut jobs, CLIENT, 2);
    assert_eq!(served(&mut jobs), [1, 10, 2, 11, 1, 12, 13, 14, 15]);
}
