//! See `vpngw::fuzzing::ike_chain`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::ike_chain(bytes));
