//! Reads the post-quantum pre-shared key of a `[[peer]]` (RFC 8784): `ppk_file`, `ppk_id`, `ppk_required`.

use super::diagnostics::{Fault, Report};
use super::peer_section::Context;
use super::reader::Section;
use super::{Ppk, keys, words};

/// The key; `None` when there is none, or it is wrong, which is reported.
pub(super) fn read(
    section: &Section<'_>,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Ppk> {
    let id = section.optional("ppk_id", words::ppk_id, report);
    let required = section.optional("ppk_required", words::boolean, report).unwrap_or(false);
    let Some(path) = section.located("ppk_file", words::path, report) else {
        lacks_key(section, report);
        return None;
    };
    let secret = keys::ppk(context.files, &path.value);
    let secret = secret.map_err(|fault| report.add(path.span.clone(), fault)).ok();
    if !section.has("ppk_id") {
        let fault =
            Fault::new("a post-quantum pre-shared key needs the name that both sides give it");
        let help = "add ppk_id = \"…\", the same as at the peer: with it the peer finds its own";
        report.add(path.span, fault.label("how is it called?").help(help));
    }
    Some(Ppk { id: id?, secret: secret?, required })
}

/// Nothing is said of a key that is not there.
fn lacks_key(section: &Section<'_>, report: &mut Report) {
    let said = ["ppk_id", "ppk_required"].into_iter().find(|key| section.has(key));
    if let Some(key) = said.filter(|_| !section.has("ppk_file")) {
        let fault =
            Fault::new(format!("`{key}` needs `ppk_file` beside it")).label("of which key?");
        let help = "add ppk_file = \"…\"; `vpnctl keygen --psk -o FILE` makes one, for both sides";
        report.add(section.span_of(key), fault.help(help));
    }
}
