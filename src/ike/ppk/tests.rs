use super::*;
use crate::crypto::secret::Secret;
use crate::wire::ike::{AuthMethod, Notify};

fn ppk(id: &str, required: bool) -> Ppk {
    Ppk { id: id.to_owned(), secret: Secret::copy_of(&[1; 32]), required }
}

fn said(
    payloads: &[Payload],
    both_use: bool,
    ours: Option<&Ppk>,
) -> Result<&'static str, PpkFailure> {
    let auth = Authentication { method: AuthMethod::SHARED_KEY_MIC, data: vec![1] };
    let said = Said { both_use, payloads: Payloads(payloads), auth: &auth };
    Ok(match choose(ours, &said)? {
        Choice::With(_) => "with",
        Choice::Without => "without",
        Choice::Instead(instead) => {
            assert_eq!(instead.method, auth.method);
            assert_eq!(instead.data, [2]);
            "instead"
        }
    })
}

/// Table 1 of RFC 8784, row by row; "configured" means with the key that the initiator names.
#[test]
fn a_responder_does_what_the_table_says() {
    let (optional, mandatory) = (ppk("red", false), ppk("red", true));
    let (other, other_mandatory) = (ppk("blue", false), ppk("blue", true));
    let named = [identity(&optional)];
    let instead = notify(NotifyType::NO_PPK_AUTH, [2]);
    let both = [identity(&optional), instead];
    // USE_PPK was not received.
    assert_eq!(said(&[], false, None), Ok("without"));
    assert_eq!(said(&[], false, Some(&optional)), Ok("without"));
    assert_eq!(said(&[], false, Some(&mandatory)), Err(PpkFailure::NotUsed));
    // It was, and the key is not configured.
    for ours in [None, Some(&other), Some(&other_mandatory)] {
        let unknown = PpkFailure::Unknown {
            presented: "red".to_owned(),
            ours: ours.map(|ours| ours.id.clone()),
        };
        assert_eq!(said(&named, true, ours), Err(unknown.clone()));
        let required = ours.is_some_and(|ours| ours.required);
        let expected = if required { Err(unknown) } else { Ok("instead") };
        assert_eq!(said(&both, true, ours), expected);
    }
    // It was, and the key is.
    for payloads in [named.as_slice(), &both] {
        for ours in [&optional, &mandatory] {
            assert_eq!(said(payloads, true, Some(ours)), Ok("with"));
        }
    }
}

#[test]
fn a_key_is_named_by_its_type_and_its_octets() {
    let ours = ppk("red", false);
    let Payload::Notify(Notify { data, .. }) = identity(&ours) else { unreachable!() };
    assert_eq!(data, [&[2], b"red".as_slice()].concat());
    for data in [&b""[..], b"\x02", b"\x01red", b"\x02Red", b"\x02red\0", b"red"] {
        let named = [notify(NotifyType::PPK_IDENTITY, data)];
        let failure = said(&named, true, Some(&ours));
        assert!(matches!(failure, Err(PpkFailure::Unknown { .. })), "{data:?}");
    }
    assert_eq!(said(&[], true, Some(&ours)), Err(PpkFailure::NotNamed));
}
