use super::*;

#[test]
fn every_block_of_a_label_is_read_in_its_order() {
    let two = format!("a leaf\n{}its issuer\n{}", &*encode(b"one", "X"), &*encode(b"two", "X"));
    let text = format!("{}{two}", &*encode(b"other", "Y"));
    assert_eq!(decode_all(&text, "X"), Ok(vec![b"one".to_vec(), b"two".to_vec()]));
    assert_eq!(decode(&text, "X"), Ok(b"one".to_vec()));
    assert_eq!(decode_all(&text, "Z"), Ok(Vec::new()));
    assert_eq!(decode(&text, "Z"), Err(PemError::Missing("Z")));
}

#[test]
fn a_block_that_is_cut_or_damaged_is_no_block() {
    let text = encode(&[7; 100], "X");
    let end = text.find("-----END").expect("it ends");
    for cut in 1..end {
        assert!(decode(&text[..cut], "X").is_err(), "cut at {cut}");
    }
    let damaged = text.replacen("BwcH", "Bw!H", 1);
    assert_eq!(decode_all(&damaged, "X"), Err(PemError::Base64));
}
