//! See `vpngw::fuzzing::config_text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::config_text(bytes));
