//! See `vpngw::fuzzing::aggfrag_payload`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::aggfrag_payload(bytes));
