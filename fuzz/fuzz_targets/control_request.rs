//! See `vpngw::fuzzing::control_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::control_request(bytes));
