//! `preset = "aws"`: what the VPN gateways of public clouds want, for all that their documents name.
//!
//! A preset stands between `[defaults]` and what the peer's own section says. It offers the best
//! suite that the cloud has and one to fall back on, because some clouds choose from a list by an
//! order of their own, and replaces keys no later than the cloud would. Every one of these clouds
//! is route-based: the selectors are all of IPv4. None of them is known to take extended sequence
//! numbers, and one refuses them.

use super::Lifetimes;
use super::Liveness;
use super::diagnostics::Fault;
use super::tuning::Tuning;
use crate::crypto::aead::AeadAlgorithm::Aes256Gcm16;
use crate::crypto::cbc::CbcAlgorithm::{self, Aes128Cbc, Aes256Cbc};
use crate::crypto::cipher::Cipher;
use crate::crypto::integrity::Integrity::{self, HmacSha256_128, HmacSha384_192};
use crate::crypto::kex::Group::{self, Ecp384, Modp2048, Modp3072, Modp4096};
use crate::crypto::prf::Prf::{self, HmacSha256, HmacSha384, HmacSha512};
use crate::crypto::suite::{EspSuite, IkeSuite, PostQuantum};
use crate::net::Prefix;
use std::time::Duration;

/// What one cloud wants.
struct Preset {
    name: &'static str,
    ike: [IkeSuite; 2],
    esp: [EspSuite; 2],
    /// Seconds.
    ike_lifetime: u64,
    /// Seconds.
    child_lifetime: u64,
    child_bytes: Option<u64>,
    /// Seconds from one probe to the next; the cloud's DPD is slow, and so is its gateway.
    probe: u64,
    /// Seconds.
    hold_time: u64,
}

/// The one cloud whose gateway is known to do ML-KEM.
const WITH_ML_KEM: &str = "cloudflare";

const fn gcm(prf: Prf, group: Group) -> IkeSuite {
    IkeSuite { cipher: Cipher::Aead(Aes256Gcm16), prf, group }
}

const fn cbc(aes: CbcAlgorithm, integrity: Integrity, prf: Prf, group: Group) -> IkeSuite {
    IkeSuite { cipher: Cipher::CbcHmac(aes, integrity), prf, group }
}

const fn esp_gcm(group: Option<Group>) -> EspSuite {
    EspSuite { cipher: Cipher::Aead(Aes256Gcm16), esn: false, group }
}

const fn esp_cbc(aes: CbcAlgorithm, group: Group) -> EspSuite {
    EspSuite { cipher: Cipher::CbcHmac(aes, HmacSha256_128), esn: false, group: Some(group) }
}

const AES256_SHA256_DH14: IkeSuite = cbc(Aes256Cbc, HmacSha256_128, HmacSha256, Modp2048);

const PRESETS: [Preset; 7] = [
    Preset {
        name: "aliyun", // AES-CBC only, and no group above 14
        ike: [AES256_SHA256_DH14, cbc(Aes128Cbc, HmacSha256_128, HmacSha256, Modp2048)],
        esp: [esp_cbc(Aes256Cbc, Modp2048), esp_cbc(Aes128Cbc, Modp2048)],
        ike_lifetime: 86_400,
        child_lifetime: 86_400,
        child_bytes: None,
        probe: 10,
        hold_time: 30,
    },
    Preset {
        name: "huawei", // falls back on what its console proposes
        ike: [gcm(HmacSha256, Ecp384), cbc(Aes128Cbc, HmacSha256_128, HmacSha256, Modp3072)],
        esp: [esp_gcm(Some(Ecp384)), esp_cbc(Aes128Cbc, Modp3072)],
        ike_lifetime: 86_400,
        child_lifetime: 3600,
        child_bytes: None,
        probe: 10,
        hold_time: 30,
    },
    Preset {
        name: "tencent", // a Child SA ends after 1,843,200 KB, so ours go before
        ike: [AES256_SHA256_DH14, cbc(Aes128Cbc, HmacSha256_128, HmacSha256, Modp2048)],
        esp: [esp_gcm(Some(Modp2048)), esp_cbc(Aes256Cbc, Modp2048)],
        ike_lifetime: 86_400,
        child_lifetime: 3600,
        child_bytes: Some(1_800_000_000),
        probe: 10,
        hold_time: 30,
    },
    Preset {
        name: "aws",
        ike: [gcm(HmacSha384, Ecp384), AES256_SHA256_DH14],
        esp: [esp_gcm(Some(Ecp384)), esp_cbc(Aes256Cbc, Modp2048)],
        ike_lifetime: 28_800,
        child_lifetime: 3600,
        child_bytes: None,
        probe: 10,
        hold_time: 30,
    },
    Preset {
        name: "azure", // with a custom policy; the default one is below what we offer
        ike: [cbc(Aes256Cbc, HmacSha384_192, HmacSha384, Ecp384), gcm(HmacSha384, Ecp384)],
        esp: [esp_gcm(Some(Ecp384)), esp_gcm(None)],
        ike_lifetime: 28_800,
        child_lifetime: 27_000,
        child_bytes: None,
        probe: 15,
        hold_time: 180,
    },
    Preset {
        name: "gcp",
        ike: [gcm(HmacSha512, Modp4096), gcm(HmacSha256, Modp2048)],
        esp: [esp_gcm(Some(Modp4096)), esp_gcm(Some(Modp2048))],
        ike_lifetime: 36_000,
        child_lifetime: 10_800,
        child_bytes: None,
        probe: 10,
        hold_time: 60,
    },
    Preset {
        name: "cloudflare",
        ike: [gcm(HmacSha384, Ecp384), gcm(HmacSha256, Ecp384)],
        esp: [esp_gcm(Some(Ecp384)), esp_cbc(Aes256Cbc, Ecp384)],
        ike_lifetime: 28_800,
        child_lifetime: 14_400,
        child_bytes: None,
        probe: 10,
        hold_time: 30,
    },
];

/// `base` with what the cloud called `name` wants.
pub(super) fn apply(name: &str, base: &Tuning) -> Result<Tuning, Fault> {
    let Some(preset) = PRESETS.iter().find(|preset| preset.name == name) else {
        let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
        let fault = Fault::new(format!("there is no preset {name:?}")).label("not a preset");
        return Err(fault.help(format!("the presets are: {}", names.join(", "))));
    };
    let seconds = Duration::from_secs;
    Ok(Tuning {
        ike_suites: preset.ike.to_vec(),
        esp_suites: Some(preset.esp.to_vec()),
        lifetimes: Lifetimes {
            ike: seconds(preset.ike_lifetime),
            child: seconds(preset.child_lifetime),
            child_bytes: preset.child_bytes.unwrap_or(base.lifetimes.child_bytes),
            ..base.lifetimes
        },
        liveness: Liveness {
            interval: seconds(preset.probe),
            timeout: seconds(preset.probe),
            give_up: seconds(3 * preset.probe),
        },
        hold_time: seconds(preset.hold_time),
        selectors: Some(vec![Prefix::all_ipv4()]),
        post_quantum: match preset.name {
            WITH_ML_KEM => base.post_quantum,
            _ => PostQuantum::Off,
        },
        ..base.clone()
    })
}

#[cfg(test)]
mod tests;
