//! See `vpngw::fuzzing::neighbor_frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::neighbor_frame(bytes));
