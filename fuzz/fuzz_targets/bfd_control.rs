//! See `vpngw::fuzzing::bfd_control`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpngw::fuzzing::bfd_control(bytes));
