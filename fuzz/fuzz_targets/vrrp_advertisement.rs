//! See `vpngw::fuzzing::vrrp_advertisement`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::vrrp_advertisement(bytes));
