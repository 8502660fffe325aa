use super::*;

#[test]
fn a_name_with_brackets_does_not_shift_the_fields() {
    let stat = "42 (odd) name) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 0 0";
    assert_eq!(parse_stat(stat), Some(777));
}

#[test]
fn a_zombie_has_ended() {
    let stat = "42 (x) Z 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 0 0";
    assert_eq!(parse_stat(stat), None);
}

#[test]
fn a_zombie_whose_threads_run_has_not_ended() {
    let stat = "42 (x) Z 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 3 0 777 0 0";
    assert_eq!(parse_stat(stat), Some(777));
}

#[test]
fn this_process_is_alive() {
    assert!(Process::of(std::process::id()).unwrap().is_alive());
}

#[test]
fn a_number_used_again_is_another_process() {
    let mut process = Process::of(std::process::id()).unwrap();
    process.started += 1;
    assert!(!process.is_alive());
    assert!(process.signal(Signal::SIGKILL).is_ok());
}

#[test]
fn an_ended_process_is_waited_for() {
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    let process = Process::of(child.id()).unwrap();
    process.end(Duration::from_secs(5)).unwrap();
    assert!(!process.is_alive());
    child.wait().unwrap();
}
