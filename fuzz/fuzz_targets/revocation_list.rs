//! See `vpngw::fuzzing::revocation_list`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::revocation_list(bytes));
