use super::*;

const EXAMPLE: &str = r#"
[gateway]
name = "east-a"
asn = 4200000001
listen = ["10.79.1.10"]
private_key = "east-a.key"

[[vpc]]
name = "shop"
prefixes = ["10.1.0.0/16", "fd00:1::/48"]
interface = "vpc0"

[[vpc.vrrp]]
vrid = 1
priority = 200
addresses = ["10.1.1.1", "10.1.2.1", "fd00:1:0:1::1"]

[[peer]]
name = "north-a"
remote_address = "10.79.2.10"
public_key_file = "north-a.pub"
remote_asn = 4200000002
accept = ["10.2.0.0/16", "fd00:2::/48"]
local_preference = 200
"#;

fn keys() -> KeysInMemory {
    use crate::crypto::sign::SigningKey;
    let (east, north) = (SigningKey::from_seed(&[1; 32]), SigningKey::from_seed(&[2; 32]));
    KeysInMemory::new()
        .with("east-a.key", &east.to_pkcs8_pem())
        .with_mode("north-a.pub", 0o644, &north.verifying_key().to_base64())
        .with("peer.psk", "correct horse battery staple\n")
}

#[test]
fn smoke() {
    let x = parse(EXAMPLE, "east-a.toml", &keys());
    println!("{x:#?}");
    let bad = EXAMPLE.replace("accept =", "acept =").replace("listen = [\"10.79.1.10\"]", "listn = 1\nmtu=12").replace("10.1.0.0/16","10.1.0.1/16").replace("vrid = 1", "vrid = 0\npriorty=3").replace("remote_asn","psk = \"x\"\nremote_asn")
     .replace("local_pref", "esp_suites = [\"aes256-sha256\", \"aes256gcm\"]\nliveness = { interval = 1 }\nlocal_pref");
    println!("{}", parse(&bad, "east-a.toml", &keys()).unwrap_err());
    println!(
        "{}",
        parse("[[vpc]]\nname=\"x\"\n[gateway]\n[[peer]]\n", "east-a.toml", &keys()).unwrap_err()
    );
    println!(
        "{}",
        parse("[gateway]\nname = \"x\nasn = = 3\n[[peer]\n", "east-a.toml", &keys()).unwrap_err()
    );
    println!("{}", parse("", "east-a.toml", &keys()).unwrap_err());
}
