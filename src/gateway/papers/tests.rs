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

/// A certificate for thirty days is renewed after twenty: it has nothing to say on its first day.
#[test]
fn what_lives_shortly_warns_shortly() {
    let month = paper(30);
    for (day, due) in [(0, 0), (22, 0), (23, 1), (29, 2)] {
        assert_eq!(month.due(Kind::Own, after(day)), due, "day {day}");
    }
}

#[test]
fn a_list_is_late_when_it_should_have_been_replaced() {
    let list = paper(30);
    assert_eq!(list.due(Kind::List, after(30)), 0);
    assert_eq!(list.due(Kind::List, after(31)), 1);
    assert!(list.words(Kind::List, after(31)).contains("should have been replaced by 2025-01-31"));
}
