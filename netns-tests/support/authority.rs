//! An authority and its certificates, made by OpenSSL: by somebody else's idea of X.509.

use std::process::Command;

use super::pair::{Pair, Side};

/// The kind of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    P256,
    P384,
    Ed25519,
    Rsa2048,
}

impl Key {
    fn algorithm(self) -> &'static [&'static str] {
        match self {
            Key::P256 => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            Key::P384 => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
            Key::Ed25519 => &["-algorithm", "ED25519"],
            Key::Rsa2048 => &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        }
    }
}

/// An authority of one scenario, whose files stand in the scenario's folder.
pub(crate) struct Authority<'p> {
    pair: &'p Pair,
    name: String,
}

impl<'p> Authority<'p> {
    /// Makes one: `NAME.crt` and `NAME.key`.
    pub(crate) fn new(pair: &'p Pair, name: &str, key: Key) -> Self {
        let authority = Authority { pair, name: name.to_owned() };
        authority.request(name, name, key);
        let extensions = "basicConstraints = critical, CA:TRUE\n\
                          keyUsage = critical, keyCertSign, cRLSign\n\
                          subjectKeyIdentifier = hash\n";
        pair.write(&format!("{name}.ext"), extensions);
        let own = format!("{name}.key");
        authority.sign(name, &["-signkey", &own, "-days", "3650"]);
        authority
    }

    /// An authority below this one.
    pub(crate) fn below(&self, name: &str, key: Key) -> Authority<'p> {
        let extensions = "basicConstraints = critical, CA:TRUE, pathlen:0\n\
                          keyUsage = critical, keyCertSign, cRLSign\n\
                          subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n";
        self.below_with(name, key, extensions)
    }

    /// Something below this one with these extensions, whether it is an authority or not.
    pub(crate) fn below_with(&self, name: &str, key: Key, extensions: &str) -> Authority<'p> {
        self.request(name, name, key);
        self.pair.write(&format!("{name}.ext"), extensions);
        self.issue_request(name, "365");
        Authority { pair: self.pair, name: name.to_owned() }
    }

    /// Makes a key and a certificate for a side: `SIDE.key` and `SIDE.crt`.
    pub(crate) fn issue(&self, side: Side, key: Key) {
        self.issue_with(side, key, "30", &format!("DNS:{}", side.identity()), "");
    }

    /// The same, with other names and more extensions, for some days.
    pub(crate) fn issue_with(&self, side: Side, key: Key, days: &str, names: &str, more: &str) {
        let name = side.name();
        self.request(name, &side.identity(), key);
        self.pair.write(
            &format!("{name}.ext"),
            &format!(
                "basicConstraints = CA:FALSE\nkeyUsage = critical, digitalSignature\n\
                 subjectAltName = {names}\nauthorityKeyIdentifier = keyid\n{more}"
            ),
        );
        self.issue_request(name, days);
    }

    /// Whether OpenSSL believes a certificate, with that of this authority between it and `ca`.
    pub(crate) fn is_believed_by_openssl(&self, certificate: &str) -> bool {
        let between = format!("{}.crt", self.name);
        let arguments = ["verify", "-CAfile", "ca.crt", "-untrusted", &between, certificate];
        let verified = Command::new("openssl")
            .args(arguments)
            .current_dir(self.pair.path(""))
            .output()
            .expect("openssl is not installed: run ./test");
        verified.status.success()
    }

    /// Appends the certificate of this authority to that of a side: a chain.
    pub(crate) fn append_to(&self, side: Side) {
        let read = |name: &str| std::fs::read_to_string(self.pair.path(name)).unwrap();
        let chain = read(&format!("{}.crt", side.name())) + &read(&format!("{}.crt", self.name));
        self.pair.write(&format!("{}.crt", side.name()), &chain);
    }

    fn issue_request(&self, name: &str, days: &str) {
        let (certificate, key) = (format!("{}.crt", self.name), format!("{}.key", self.name));
        let issuer = ["-CA", &certificate, "-CAkey", &key, "-CAcreateserial", "-days", days];
        self.sign(name, &issuer);
    }

    /// A key, and a request for a certificate.
    fn request(&self, name: &str, subject: &str, key: Key) {
        let out = format!("{name}.key");
        let generate = [&["genpkey", "-out", &out], key.algorithm()].concat();
        self.openssl(&generate);
        self.pair.write("openssl.cnf", "[req]\ndistinguished_name = dn\n[dn]\n");
        let (subject, request) = (format!("/CN={subject}"), format!("{name}.csr"));
        let arguments = ["req", "-new", "-config", "openssl.cnf", "-key", &out, "-out", &request];
        self.openssl(&[&arguments[..], &["-subj", &subject]].concat());
    }

    fn sign(&self, name: &str, issuer: &[&str]) {
        let files = ["csr", "crt", "ext"].map(|kind| format!("{name}.{kind}"));
        let [request, certificate, extensions] = files.each_ref().map(String::as_str);
        let arguments =
            ["x509", "-req", "-in", request, "-out", certificate, "-extfile", extensions];
        self.openssl(&[&arguments[..], issuer].concat());
    }

    fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(self.pair.path(""))
            .output()
            .expect("openssl is not installed: run ./test");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {}: {said}", arguments.join(" "));
    }
}
