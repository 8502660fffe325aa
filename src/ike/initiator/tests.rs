//! An initiator that takes itself for authenticated.

use super::super::context::Context;
use super::AwaitAuth;
use crate::wire::ike::{AuthMethod, Authentication, ExchangeType, Payload};

impl AwaitAuth {
    /// Asks for a Child SA before the peer knows who we are. The message holds all that IKE_AUTH
    /// would, so that nothing but the missing proof keeps a peer from granting it.
    pub(crate) fn presume(&mut self, ctx: &mut Context<'_>) {
        let keyed = &mut self.keyed;
        let header = keyed.header(ExchangeType::CREATE_CHILD_SA, keyed.transcript.next_id());
        let data = vec![0; 32];
        let mut payloads = vec![
            Payload::IdInitiator(keyed.config.local_id.to_wire()),
            Payload::IdResponder(keyed.config.remote_id.to_wire()),
            Payload::Authentication(Authentication { method: AuthMethod::SHARED_KEY_MIC, data }),
            keyed.offer.sa(),
            Payload::Nonce(vec![7; 32]),
        ];
        payloads.extend(keyed.offer.selectors());
        let request = keyed.keys.seal.seal(&header, &payloads);
        ctx.out.send(&keyed.path, &request);
    }
}
