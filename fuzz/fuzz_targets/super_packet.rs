//! See `vpngw::fuzzing::super_packet`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::super_packet(bytes));
