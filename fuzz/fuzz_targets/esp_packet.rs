//! See `vpngw::fuzzing::esp_packet`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::esp_packet(bytes));
