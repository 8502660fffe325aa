//! Packets for tests.

use crate::wire::bfd::{ControlPacket, Diagnostic, State};

/// What a peer says at 50 ms by 3 in a state.
pub(super) fn control(state: State) -> ControlPacket {
    ControlPacket {
        diagnostic: Diagnostic::NONE,
        state,
        poll: false,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        detect_mult: 3,
        my_discriminator: 9,
        your_discriminator: 1,
        desired_min_tx: 50_000,
        required_min_rx: 50_000,
        required_min_echo_rx: 0,
    }
}
