//! See `vpngw::fuzzing::bgp_stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::bgp_stream(bytes));
