//! The key schedule of IKE SAs and Child SAs (RFC 7296 §2.13, §2.14, §2.17, §2.18).
//!
//! ```text
//! SKEYSEED = prf(Ni | Nr, g^ir)                            IKE_SA_INIT
//! SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr)         rekeying an IKE SA
//!
//! {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr)
//!
//! KEYMAT = prf+(SK_d, [g^ir (new) |] Ni | Nr)
//! ```
//!
//! With additional key exchanges, whose secrets are SK(1) to SK(n) beside the first one's SK(0)
//! (RFC 9370 §2.2.2, §2.2.4):
//!
//! ```text
//! SKEYSEED = prf(SK_d (before), SK(n) | Ni | Nr)                  after each IKE_INTERMEDIATE
//! SKEYSEED = prf(SK_d (old), SK(0) | Ni | Nr | SK(1) | … SK(n))   rekeying an IKE SA
//! KEYMAT = prf+(SK_d, SK(0) | Ni | Nr | SK(1) | … SK(n))
//! ```
//!
//! With a post-quantum pre-shared key, once IKE_AUTH has agreed on it (RFC 8784 §3):
//!
//! ```text
//! SK_d = prf+(PPK, SK_d'), SK_pi = prf+(PPK, SK_pi'), SK_pr = prf+(PPK, SK_pr')
//! ```
//!
//! With AEADs there is no SK_a (RFC 5282 §7). Every direction's key material is
//! encryption key ‖ integrity key, as it is in KEYMAT (RFC 7296 §2.17).

use super::event::{ChildKeys, Role};
use super::fault::{self, Fault};
use super::protect::{OpenKey, SealKey};
use super::state::{State, StateReader, StateWriter, state_of_fields};
use crate::crypto::cipher::KeyError;
use crate::crypto::prf::Prf;
use crate::crypto::secret::Secret;
use crate::crypto::suite::{EspSuite, IkeSuite};
use crate::net::EspSpi;
use crate::wire::DecodeError;
use crate::wire::ike::IkeSpi;

/// The nonces of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nonces {
    pub initiator: Vec<u8>,
    pub responder: Vec<u8>,
}

impl Nonces {
    /// The nonce by which redundant SAs are told apart: the SA made with the lowest of the four
    /// is to go. Octets are compared from the first, a prefix is lower (RFC 7296 §2.8.1).
    pub(super) fn lowest(&self) -> &[u8] {
        self.initiator.as_slice().min(self.responder.as_slice())
    }
}

/// The secrets of the key exchanges of one SA, in their order; none for a Child SA without.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
pub(super) struct Secrets(Vec<Secret>);

impl Secrets {
    /// That of the first.
    pub(super) fn first(secret: Secret) -> Secrets {
        Secrets(vec![secret])
    }

    /// That of one more.
    pub(super) fn push(&mut self, secret: Secret) {
        self.0.push(secret);
    }

    /// What they and the nonces are in a derivation: SK(0) | Ni | Nr | SK(1) | … SK(n).
    fn seed<'a>(&'a self, nonces: &'a Nonces) -> Vec<&'a [u8]> {
        let (first, more) = self.0.split_at(self.0.len().min(1));
        let octets = |secrets: &'a [Secret]| secrets.iter().map(Secret::as_bytes);
        let nonces = [nonces.initiator.as_slice(), &nonces.responder];
        octets(first).chain(nonces).chain(octets(more)).collect()
    }
}

/// SPIs of an IKE SA in the order of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spis {
    pub initiator: IkeSpi,
    pub responder: IkeSpi,
}

/// The keys of one IKE SA.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct IkeKeys {
    pub suite: IkeSuite,
    sk_d: Secret,
    pub sk_pi: Secret,
    pub sk_pr: Secret,
    pub seal: SealKey,
    pub open: OpenKey,
}

impl IkeKeys {
    /// The keys of an IKE_SA_INIT.
    ///
    /// # Errors
    ///
    /// When the keys do not fit the suite, which is a fault of ours.
    pub(super) fn initial(
        suite: IkeSuite,
        shared: &Secret,
        nonces: &Nonces,
        spis: Spis,
        role: Role,
    ) -> Result<IkeKeys, KeyError> {
        let key = [nonces.initiator.as_slice(), nonces.responder.as_slice()].concat();
        let skeyseed = suite.prf.compute(&key, &[shared.as_bytes()]);
        IkeKeys::expand(suite, &skeyseed, nonces, spis, role)
    }

    /// The keys of the IKE SA that takes this one's place. SKEYSEED comes from this one's PRF,
    /// the rest from the new one's (RFC 7296 §2.18).
    ///
    /// # Errors
    ///
    /// When the keys do not fit the suite, which is a fault of ours.
    pub(super) fn rekeyed(
        &self,
        suite: IkeSuite,
        secrets: &Secrets,
        nonces: &Nonces,
        spis: Spis,
        role: Role,
    ) -> Result<IkeKeys, KeyError> {
        let skeyseed = self.suite.prf.compute(self.sk_d.as_bytes(), &secrets.seed(nonces));
        IkeKeys::expand(suite, &skeyseed, nonces, spis, role)
    }

    /// The keys after one more key exchange between IKE_SA_INIT and IKE_AUTH, which has brought
    /// `shared`.
    ///
    /// # Errors
    ///
    /// When the keys do not fit the suite, which is a fault of ours.
    pub(super) fn updated(
        &self,
        shared: Secret,
        nonces: &Nonces,
        spis: Spis,
        role: Role,
    ) -> Result<IkeKeys, KeyError> {
        self.rekeyed(self.suite, &Secrets::first(shared), nonces, spis, role)
    }

    fn expand(
        suite: IkeSuite,
        skeyseed: &Secret,
        nonces: &Nonces,
        spis: Spis,
        role: Role,
    ) -> Result<IkeKeys, KeyError> {
        let prf_len = suite.prf.key_len();
        let (key_len, mac_len) =
            (suite.cipher.encryption_key_len(), suite.cipher.integrity_key_len());
        let seed: [&[u8]; 4] =
            [&nonces.initiator, &nonces.responder, &spis.initiator.0, &spis.responder.0];
        let len = 3 * prf_len + 2 * key_len + 2 * mac_len;
        let stream = suite.prf.prf_plus(skeyseed.as_bytes(), &seed, len);
        let (sk_d, rest) = stream.as_bytes().split_at(prf_len);
        let (sk_ai, rest) = rest.split_at(mac_len);
        let (sk_ar, rest) = rest.split_at(mac_len);
        let (sk_ei, rest) = rest.split_at(key_len);
        let (sk_er, rest) = rest.split_at(key_len);
        let (sk_pi, sk_pr) = rest.split_at(prf_len);
        let (initiators, responders) = ([sk_ei, sk_ai].concat(), [sk_er, sk_ar].concat());
        let (ours, theirs) = match role {
            Role::Initiator => (initiators, responders),
            Role::Responder => (responders, initiators),
        };
        Ok(IkeKeys {
            suite,
            sk_d: Secret::copy_of(sk_d),
            sk_pi: Secret::copy_of(sk_pi),
            sk_pr: Secret::copy_of(sk_pr),
            seal: SealKey::new(suite.cipher, Secret::from(ours))?,
            open: OpenKey::new(suite.cipher, Secret::from(theirs))?,
        })
    }

    /// The keys that a post-quantum pre-shared key goes into (RFC 8784 §3).
    pub(super) fn mixed_with(&self, ppk: &Secret) -> Mixed {
        let mix = |key: &Secret| {
            self.suite.prf.prf_plus(ppk.as_bytes(), &[key.as_bytes()], key.as_bytes().len())
        };
        Mixed { sk_d: mix(&self.sk_d), sk_pi: mix(&self.sk_pi), sk_pr: mix(&self.sk_pr) }
    }

    /// Takes the mixed keys for its own from now on.
    pub(super) fn adopt(&mut self, mixed: Mixed) {
        let Mixed { sk_d, sk_pi, sk_pr } = mixed;
        (self.sk_d, self.sk_pi, self.sk_pr) = (sk_d, sk_pi, sk_pr);
    }

    /// What both sides prove their identities with.
    pub(super) fn proving<'a>(&'a self, mixed: Option<&'a Mixed>) -> Proving<'a> {
        let (sk_pi, sk_pr) = match mixed {
            Some(mixed) => (&mixed.sk_pi, &mixed.sk_pr),
            None => (&self.sk_pi, &self.sk_pr),
        };
        Proving { prf: self.suite.prf, sk_pi, sk_pr }
    }

    /// Key material for Child SAs.
    pub(super) fn child_seed(&self) -> ChildSeed<'_> {
        ChildSeed { prf: self.suite.prf, sk_d: &self.sk_d }
    }
}

/// Keys of an IKE SA that a post-quantum pre-shared key has gone into.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Mixed {
    sk_d: Secret,
    sk_pi: Secret,
    sk_pr: Secret,
}

/// What both sides prove their identities with.
#[derive(Clone, Copy)]
pub(super) struct Proving<'a> {
    pub prf: Prf,
    pub sk_pi: &'a Secret,
    pub sk_pr: &'a Secret,
}

/// From which the keys of a Child SA are made.
pub(super) struct ChildSeed<'a> {
    prf: Prf,
    sk_d: &'a Secret,
}

/// Both directions of a Child SA, as its owner sees them.
pub(super) struct ChildKeyPair {
    pub inbound: ChildKeys,
    pub outbound: ChildKeys,
}

impl ChildSeed<'_> {
    /// The keys of a Child SA: "keys for SAs carrying data from the initiator to the responder
    /// are taken before" the others (RFC 7296 §2.17); initiator is who began the exchange.
    pub(super) fn keys(
        &self,
        suite: EspSuite,
        (inbound, outbound): (EspSpi, EspSpi),
        secrets: &Secrets,
        nonces: &Nonces,
        role: Role,
    ) -> ChildKeyPair {
        let len = suite.cipher.keymat_len();
        let keymat = self.prf.prf_plus(self.sk_d.as_bytes(), &secrets.seed(nonces), 2 * len);
        let (from_initiator, from_responder) = keymat.as_bytes().split_at(len);
        let swapped = fault::is_on(Fault::SwapsKeys);
        let (from_initiator, from_responder) = match swapped {
            true => (from_responder, from_initiator),
            false => (from_initiator, from_responder),
        };
        let (theirs, ours) = match role {
            Role::Initiator => (from_responder, from_initiator),
            Role::Responder => (from_initiator, from_responder),
        };
        let keys = |spi, keymat| ChildKeys { spi, suite, keymat: Secret::copy_of(keymat) };
        ChildKeyPair { inbound: keys(inbound, theirs), outbound: keys(outbound, ours) }
    }
}

state_of_fields!(Nonces { initiator, responder });

impl State for Secrets {
    fn write(&self, out: &mut StateWriter) {
        self.0.write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        State::read(from).map(Secrets)
    }
}

state_of_fields!(IkeKeys { suite, sk_d, sk_pi, sk_pr, seal, open });
