//! See `vpngw::fuzzing::ip_packet`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::ip_packet(bytes));
