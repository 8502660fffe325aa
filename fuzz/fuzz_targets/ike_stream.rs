//! See `vpngw::fuzzing::ike_stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::ike_stream(bytes));
