//! See `vpngw::fuzzing::esp_state`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::esp_state(bytes));
