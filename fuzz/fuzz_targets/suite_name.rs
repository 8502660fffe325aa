//! See `vpngw::fuzzing::suite_name`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::suite_name(bytes));
