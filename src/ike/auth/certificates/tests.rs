use super::*;

fn payload(encoding: CertEncoding, octets: usize) -> Payload {
    Payload::Certificate(Certificate { encoding, data: vec![0x30; octets] })
}

fn asked(payloads: &[Payload]) -> Result<usize, Refusal> {
    let shown = Shown::in_payloads(Payloads(payloads), WallTime::SIMULATED);
    let trust = Arc::new(Trust::new(Vec::new(), Vec::new()).expect("nobody is trusted"));
    let question = shown.question(trust, "gw.example".parse().expect("a name"));
    question.map(|question| question.presented.len())
}

#[test]
fn more_certificates_than_anybody_needs_are_not_looked_at() {
    let x509 = CertEncoding::X509_SIGNATURE;
    let most = vec![payload(x509, 100); limits::CERTIFICATES];
    assert_eq!(asked(&most), Ok(limits::CERTIFICATES));
    let more = vec![payload(x509, 100); limits::CERTIFICATES + 1];
    assert!(matches!(asked(&more), Err(Refusal::TooMuch { certificates: 9, octets: 900 })));
    assert_eq!(asked(&[payload(x509, limits::CERTIFICATE_OCTETS)]), Ok(1));
    let large = asked(&[payload(x509, limits::CERTIFICATE_OCTETS), payload(x509, 1)]);
    assert!(matches!(large, Err(Refusal::TooMuch { certificates: 2, .. })), "{large:?}");
}

#[test]
fn what_is_no_certificate_is_left_aside() {
    let url = payload(CertEncoding::HASH_AND_URL_X509, 40);
    let list = payload(CertEncoding::CRL, 40);
    assert_eq!(asked(&[url, payload(CertEncoding::X509_SIGNATURE, 40), list]), Ok(1));
    assert_eq!(asked(&[]), Ok(0));
}

#[test]
fn a_request_names_no_more_authorities_than_an_unfragmented_message_has_room_for() {
    assert_eq!(request([]), None);
    let Some(Payload::CertificateRequest(request)) = request([[7; 20]; 40]) else { panic!("none") };
    assert_eq!(request.encoding, CertEncoding::X509_SIGNATURE);
    assert_eq!(request.data, [7; 20 * limits::NAMED_AUTHORITIES]);
}
