//! The rules as data: the module table and the forbidden names.

/// What a module may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No socket, file, thread, async, clock, OS randomness, environment or process.
    Pure,
    /// Moves values between the pure part and Linux.
    Shell,
    /// Not part of the product.
    TestsOnly,
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Module {
    /// Its path below `crate::`. The row of the longest matching path rules a file.
    pub name: &'static str,
    pub kind: Kind,
    /// The modules that it may import, besides itself; a module stands for all below it.
    pub imports: &'static [&'static str],
}

use Kind::{Pure, Shell, TestsOnly};

const fn row(name: &'static str, kind: Kind, imports: &'static [&'static str]) -> Module {
    Module { name, kind, imports }
}

/// Lowest floor first: a row imports only rows above it.
#[rustfmt::skip]
pub(crate) const MODULES: &[Module] = &[
    // floor 0: values without a clock or dice of their own ("ground")
    row("time",          Pure,  &[]),
    row("random",        Pure,  &[]),
    row("net",           Pure,  &[]),
    row("moment",        Pure,  &["time", "random"]),
    row("visits",        Pure,  &[]),
    // floor 1: codecs and algorithms
    row("wire",          Pure,  &["net"]),
    row("crypto",        Pure,  &["random"]),
    row("pki",           Pure,  &["wire", "crypto", "time"]),
    // floor 2: engines
    row("ike",           Pure,  &["wire", "crypto", "pki", "visits", "net", "time", "random", "moment"]),
    row("esp",           Pure,  &["wire", "crypto", "net", "time", "random", "moment"]),
    row("offload",       Pure,  &["wire", "net"]),
    row("routing::attributes", Pure, &["wire", "net"]),
    row("routing::policy", Pure, &["routing::attributes", "net"]),
    row("routing::bfd",  Pure,  &["wire", "net", "time", "random", "moment"]),
    row("routing::bgp",  Pure,  &["routing::attributes", "wire", "net", "time", "random", "moment"]),
    row("routing::rib",  Pure,  &["routing::attributes", "routing::policy", "wire", "net", "time", "random", "moment"]),
    row("routing::vrrp", Pure,  &["wire", "net", "time", "random", "moment"]),
    // floor 3: what a gateway consists of
    row("routing",       Pure,  &["routing::attributes", "routing::policy", "routing::bfd", "routing::bgp", "routing::rib",
                                  "routing::vrrp", "wire", "visits", "net", "time", "random", "moment"]),
    row("forward",       Pure,  &["esp", "offload", "wire", "net", "time", "random", "moment"]),
    row("config",        Pure,  &["routing::policy", "wire", "crypto", "pki", "net", "time"]),
    row("control",       Pure,  &["net", "time"]),
    // floor 4: one state, inputs in, outputs out
    row("gateway",       Pure,  &["routing", "forward", "config", "control", "ike", "esp",
                                  "offload", "wire", "crypto", "pki", "visits",
                                  "net", "time", "random", "moment"]),
    // the shell
    row("os",            Shell, &["net", "time", "random", "moment"]),
    row("config_file",   Shell, &["os", "config", "crypto", "net"]),
    row("dataplane",     Shell, &["os", "forward", "offload", "esp", "routing::bfd", "wire",
                                  "net", "time", "random", "moment"]),
    row("daemon",        Shell, &["dataplane", "os", "config_file", "gateway", "routing",
                                  "forward", "config", "control", "ike", "esp", "offload",
                                  "wire", "crypto", "net", "time", "random", "moment"]),
    row("lab",           Shell, &["os", "config_file", "config", "control", "crypto",
                                  "net", "time", "random", "moment"]),
    row("cli",           Shell, &["lab", "os", "config_file", "control", "config", "crypto", "pki",
                                  "net", "time", "random", "moment"]),
    // tests and fuzzers: any pure module, and never part of the product
    row("testing",       TestsOnly, &[]),
    row("fuzzing",       TestsOnly, &["testing"]),
];

impl Module {
    /// Whether a file of this module may import from `target`.
    pub(crate) fn may_import(&self, target: &Module) -> bool {
        self.name == target.name || self.imports.iter().any(|import| lies_in(target.name, import))
    }

    /// How the row begins in ARCHITECTURE.md, where "ground" is all of floor 0.
    pub(crate) fn as_markdown(&self) -> String {
        let kind = match self.kind {
            Pure => "pure",
            Shell => "shell",
            TestsOnly => "tests only",
        };
        let (imports, ground) = match self.imports {
            [imports @ .., "net", "time", "random", "moment"] => (imports, true),
            imports => (imports, false),
        };
        let names: Vec<_> = imports.iter().map(|import| format!("`{import}`")).collect();
        let imports = match (names.is_empty(), ground) {
            (true, _) if self.kind == TestsOnly => "any pure module".to_owned(),
            (false, _) if self.kind == TestsOnly => format!("any pure module {}", names.join(" ")),
            (true, true) => "ground".to_owned(),
            (true, false) => "—".to_owned(),
            (false, true) => names.join(" ") + " + ground",
            (false, false) => names.join(" "),
        };
        format!("| `{}` | {kind} | {imports} |", self.name)
    }
}

/// Whether the module at `path` is `module` or one below it.
fn lies_in(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The row for a module path such as `ike::sa` or `net`.
pub(crate) fn find(path: &str) -> Option<&'static Module> {
    let rows = MODULES.iter().filter(|module| lies_in(path, module.name));
    rows.max_by_key(|module| module.name.len())
}

/// What a pure module does not name. `std::net` has value types, too, so there the sockets are
/// listed one by one.
pub(crate) const FORBIDDEN_IN_PURE: &[&str] = &[
    // sockets
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "UnixDatagram",
    "ToSocketAddrs",
    "socket2",
    // files, environment, processes, threads
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "File::open",
    "stdin",
    "stdout",
    "stderr",
    "println",
    "eprintln",
    "print",
    "eprint",
    // async
    "tokio",
    "async",
    "await",
    "futures",
    // clocks
    "Instant",
    "SystemTime",
    // the operating system's randomness
    "getrandom",
    "OsRng",
    "SystemRandom",
    "thread_rng",
    // Linux
    "libc",
    "nix",
    "rtnetlink",
    "netlink_packet_route",
    "tun_rs",
    "axum",
    "hyper",
    "sd_notify",
    "anyhow",
    "tracing_subscriber",
    "clap",
];

/// A name that one pure file may use all the same.
pub(crate) struct Exception {
    pub path: &'static str,
    pub name: &'static str,
}

pub(crate) const EXCEPTIONS: &[Exception] = &[
    // ring makes private keys of its ECP groups from its own generator only: its SecureRandom
    // trait is sealed.
    Exception { path: "src/crypto/kex.rs", name: "SystemRandom" },
    // It also draws the nonces of ECDSA and the salts of RSA-PSS itself.
    Exception { path: "src/crypto/private_key.rs", name: "SystemRandom" },
];

/// Lines of a file at most, tests aside.
pub(crate) const MAX_LINES: usize = 500;

/// What panics on purpose. `expect` is for invariants visible on the same screen.
pub(crate) const PANICS: &[&str] = &[".unwrap()", "panic!", "todo!", "unimplemented!", "dbg!"];

/// Where `unsafe` may stand: what talks to the system, and a loop over every octet that is carried.
pub(crate) const UNSAFE_ALLOWED: &[&str] = &["src/os/", "src/wire/checksum.rs"];
