use super::*;
use std::net::Ipv4Addr;

const REMOTE: Asn = Asn(65_002);

fn route(mark: Option<u32>) -> Attributes {
    let route = Attributes::originated(Ipv4Addr::LOCALHOST.into());
    match mark {
        Some(asn) => route.marked_for_customers(Asn(asn)),
        None => route,
    }
}

#[test]
fn roles_are_named_and_mirrored() {
    for role in Role::ALL {
        assert_eq!(role.to_string().parse(), Ok(role));
        assert_eq!(role.counterpart().counterpart(), role);
        assert_eq!(role_name(role.code()), role.to_string());
    }
    assert_eq!(Role::ALL.map(Role::code), [0, 1, 2, 3, 4], "as in the registry of IANA");
    assert!("Provider".parse::<Role>().is_err());
    assert_eq!(role_name(9), "role 9");
}

/// RFC 9234 §5, row by row: what we are to the neighbour; a leak with a foreign mark, and with the
/// neighbour's own; whether what comes is marked; whether it hears of what is marked; whether what goes
/// is marked.
#[test]
fn the_procedures_of_the_mark() {
    let table = [
        (Role::Provider, true, true, false, true, true),
        (Role::RouteServer, true, true, false, true, true),
        (Role::RouteServerClient, false, false, true, false, false),
        (Role::Customer, false, false, true, false, false),
        (Role::Peer, true, false, true, false, true),
    ];
    for (role, foreign, own, comes, tells, goes) in table {
        assert!(!role.sees_leak(&route(None), REMOTE), "{role}");
        assert_eq!(role.sees_leak(&route(Some(65_009)), REMOTE), foreign, "{role}");
        assert_eq!(role.sees_leak(&route(Some(65_002)), REMOTE), own, "{role}");
        assert_eq!(role.marks_what_comes(), comes, "{role}");
        assert!(role.may_tell(&route(None)), "{role}");
        assert_eq!(role.may_tell(&route(Some(65_009))), tells, "{role}");
        assert_eq!(role.marks_what_goes(), goes, "{role}");
    }
}

#[test]
fn a_mark_that_is_there_stays() {
    let marked = route(Some(65_009)).marked_for_customers(REMOTE);
    assert_eq!(marked.only_to_customer(), Some(Asn(65_009)));
    assert_eq!(marked.transitive.len(), 1);
}
