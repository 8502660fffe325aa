//! How an IKE SA comes to be: by a handshake, or to take the place of another.

use super::super::auth::Authenticated;
use super::super::child::Agreed;
use super::super::config::{ConnectionConfig, ConnectionId, SlotId};
use super::super::context::Context;
use super::super::crash::PeerToken;
use super::super::event::{self, Event, IkeSaId, Role};
use super::super::failure::ChildRefusal;
use super::super::fault::{self, Fault};
use super::super::fragments::Fragmentation;
use super::super::keys::{IkeKeys, Nonces, Secrets};
use super::super::liveness::Liveness;
use super::super::path::{LivePath, Path};
use super::children::Children;
use super::exchanges::Exchanges;
use super::held::Held;
use super::lifecycle::Lifecycle;
use super::mobility::Mobility;
use super::vouching::Vouching;
use super::{Descent, Established, create, rekey};
use crate::crypto::suite::Additional;
use crate::time::Timestamp;
use crate::wire::ike::MessageId;
use std::sync::Arc;

/// The handshake has made no Child SA.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(in super::super) struct NoFirstChild {
    /// The slot for which we asked; `None` when the peer asked.
    pub slot: Option<SlotId>,
    pub refusal: ChildRefusal,
}

/// What a handshake hands over; that takes a proof of the peer's identity.
pub(in super::super) struct Handshake {
    pub id: IkeSaId,
    pub role: Role,
    pub connection: ConnectionId,
    pub config: Arc<ConnectionConfig>,
    pub proof: Authenticated,
    pub keys: IkeKeys,
    pub nonces: Nonces,
    pub path: LivePath,
    pub began_at: Timestamp,
    /// Whether the peer names slots, as we do.
    pub names_slots: bool,
    pub fragmentation: Fragmentation,
    /// The key exchanges beside the first.
    pub additional: Additional,
    /// Whether AUTH has covered all of IKE_SA_INIT.
    pub covered_in_full: bool,
    /// The message ID of IKE_AUTH.
    pub auth_id: MessageId,
    /// What the peer will show if it loses the IKE SA.
    pub peer_token: PeerToken,
    /// Whether a post-quantum pre-shared key has gone into the keys.
    pub ppk_in_use: bool,
    /// Whether addresses may change, and where the peer is as well.
    pub mobility: Mobility,
}

/// How an IKE SA comes to be.
pub(super) enum Birth<'a> {
    /// By IKE_SA_INIT and IKE_AUTH.
    Handshake(Box<Handshake>),
    /// By CREATE_CHILD_SA, to take the place of `of`.
    Successor { of: &'a Established, made: Box<rekey::Made>, life: Lifecycle },
}

impl Established {
    /// The IKE SA that a handshake has made.
    pub(in super::super) fn new(handshake: Handshake, ctx: &mut Context<'_>) -> Box<Established> {
        Established::born(Birth::Handshake(Box::new(handshake)), ctx)
    }

    pub(super) fn born(birth: Birth<'_>, ctx: &mut Context<'_>) -> Box<Established> {
        let mut peer_token = PeerToken::default();
        let mobility;
        let (connection, config, descent, vouching, life, exchanges, path, additional) = match birth
        {
            Birth::Handshake(new) => {
                // The handshake has used the initiator's first message IDs.
                let (next, expected) = match new.role {
                    Role::Initiator => (new.auth_id.0 + 1, 0),
                    Role::Responder => (0, new.auth_id.0 + 1),
                };
                let (remote_id, certificate) = new.proof.into_parts();
                let descent = Descent {
                    remote_id,
                    lineage: new.nonces.lowest().to_vec(),
                    began_at: new.began_at,
                    role: new.role,
                    names_slots: new.names_slots,
                    covered_in_full: new.covered_in_full,
                    ppk_in_use: new.ppk_in_use,
                };
                let additional = new.additional;
                let life = Lifecycle::active(&new.config.ike_lifetime, ctx);
                let who = (new.id, new.role);
                let numbers = (next, expected);
                let exchanges = Exchanges::new(who, new.keys, new.fragmentation, numbers);
                let vouching = Vouching::of(certificate);
                peer_token = new.peer_token;
                mobility = new.mobility;
                (
                    new.connection,
                    new.config,
                    descent,
                    vouching,
                    life,
                    exchanges,
                    new.path,
                    additional,
                )
            }
            Birth::Successor { of, made, life } => {
                // "The Message ID counters are set to 0" (RFC 7296 §2.18).
                let fragmentation = of.exchanges.fragmentation;
                let who = (made.id, made.role);
                let zero = u32::from(fault::is_on(Fault::CountsOn));
                let exchanges = Exchanges::new(who, made.keys, fragmentation, (zero, zero));
                let path = of.path.inherited(ctx.now);
                let (descent, vouching) = (of.descent.clone(), of.vouching.heritage());
                let (config, additional) = (of.config.clone(), made.additional);
                mobility = of.mobility.clone();
                (of.connection, config, descent, vouching, life, exchanges, path, additional)
            }
        };
        Box::new(Established {
            children: Children::new(connection),
            connection,
            config,
            descent,
            additional,
            followups: None,
            life,
            exchanges,
            held: Held::default(),
            liveness: Liveness::new(ctx.now),
            vouching,
            path,
            to_measure: None,
            peer_token,
            owes_token: false,
            mobility,
            effects: Vec::new(),
        })
    }

    /// Tells the owner that the IKE SA is up, if it is to stay, and installs the Child SA that
    /// the handshake has agreed on.
    ///
    /// # Errors
    ///
    /// That there is none, as it came in.
    pub(in super::super) fn announce(
        &mut self,
        first: Result<(SlotId, Agreed), NoFirstChild>,
        nonces: &Nonces,
        sendable: bool,
        ctx: &mut Context<'_>,
    ) -> Result<(), NoFirstChild> {
        match first {
            Err(none) if !self.serves_despite(&none) => Err(none),
            first => {
                self.tell_established(ctx);
                let (slot, agreed) = first?;
                let nonces = nonces.clone();
                let made = create::Made { slot, agreed, secrets: Secrets::default(), nonces };
                self.install(made, self.role(), None, sendable, ctx);
                Ok(())
            }
        }
    }

    fn tell_established(&mut self, ctx: &mut Context<'_>) {
        let Path { local, remote } = self.path.path();
        let (ike, role, suite) = (self.id(), self.role(), self.suite());
        tracing::debug!(
            connection = self.connection.0, %ike, %role, %suite, %local, %remote,
            peer = %self.remote_id(), "IKE SA established"
        );
        let established = event::Established {
            ike,
            role,
            suite,
            local,
            remote,
            local_id: self.config.local_id.clone(),
            remote_id: self.remote_id().clone(),
            nat: self.path.nat(),
            takes_probes: self.takes_probes(),
            additional: self.additional,
            covered_in_full: self.descent.covered_in_full,
            ppk_in_use: self.descent.ppk_in_use,
            names_slots: self.descent.names_slots,
        };
        ctx.out.event(self.connection, Event::Established(Box::new(established)));
    }
}
