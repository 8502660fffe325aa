//! See `vpngw::fuzzing::private_key`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::private_key(bytes));
