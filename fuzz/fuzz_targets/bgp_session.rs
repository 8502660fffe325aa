//! See `vpngw::fuzzing::bgp_session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::bgp_session(bytes));
