//! See `vpngw::fuzzing::key_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::key_file(bytes));
