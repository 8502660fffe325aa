//! See `vpngw::fuzzing::certificate_chain`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::certificate_chain(bytes));
