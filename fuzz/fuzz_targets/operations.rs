//! See `vpngw::fuzzing::operations`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::operations(bytes));
