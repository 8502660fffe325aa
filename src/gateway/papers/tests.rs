use super::*;

fn paper(life_days: u32) -> Paper {
    let from = WallTime::SIMULATED;
    let until = from + life_days * DAY;
    Paper { name: "CN=hq".to_owned(), from, until, told: 0 }
}

fn after(days: u32) -> WallTime {
    WallTime::SIMULATED + days * DAY
}

#[test]
fn warnings_come_a_month_a_week_and_a_day_before_the_end_and_at_it() {
    let year = paper(365);
    for (day, due) in [(0, 0), (334, 0), (335, 1), (357, 1), (358, 2), (364, 3), (365, 3)] {
        assert_eq!(year.due(Kind::Own, after(day)), due, "day {day}");
    }
    assert_eq!(year.due(Kind::Own, after(365) + Duration::from_secs(1)), 4);
    let words = year.words(Kind::Own, after(358));
    assert!(words.contains("CN=hq of this gateway expires on 2026-01-01T00:00:00Z"), "{words}");
    assert!(year.words(Kind::Own, after(366)).contains("expired on"));
}

/// It is renewed when a third of its life is left: nobody is told before that is overdue.
#[test]
fn what_lives_shortly_warns_when_its_renewal_is_overdue() {
    let days = |life: u32| -> Vec<u32> {
        let one = paper(life);
        let due = |day: &u32| one.due(Kind::Own, after(*day)) > one.due(Kind::Own, after(*day - 1));
        (1..=life).filter(due).collect()
    };
    assert_eq!(days(365), [335, 358, 364]);
    assert_eq!(days(90), [83, 89], "as from ACME, renewed 30 days before its end");
    assert_eq!(days(30), [23, 29]);
    assert_eq!(days(7), [6]);
}

#[test]
fn what_lives_for_hours_warns_in_its_last_quarter() {
    let hours = |hours: u32| WallTime::SIMULATED + hours * Duration::from_secs(3600);
    let short = Paper { until: hours(8), ..paper(0) };
    let due = [0, 5, 6, 8].map(|hour| short.due(Kind::Own, hours(hour)));
    assert_eq!(due, [0, 0, 1, 1]);
}

#[test]
fn a_list_is_late_when_it_should_have_been_replaced() {
    let list = paper(30);
    assert_eq!(list.due(Kind::List, after(30)), 0);
    assert_eq!(list.due(Kind::List, after(31)), 1);
    assert!(list.words(Kind::List, after(31)).contains("should have been replaced by 2025-01-31"));
}
