//! What a reload would do.

use super::super::look::{BAD, FAINT, Look, STRONG};
use super::super::sheet::wrapped;
use crate::control::{ChangeView, PlanView};

/// Whether it takes no restart.
pub(in super::super) fn can_be_done(view: &PlanView) -> bool {
    view.refused.is_none()
}

/// What would happen to whom, and by which keys.
pub(in super::super) fn plan(view: &PlanView, look: Look) -> String {
    if !look.for_people() {
        return separated(view);
    }
    let name = look.paint(STRONG, &view.gateway);
    if let Some(refused) = &view.refused {
        return format!("{name}  {}", look.paint(BAD, refused));
    }
    if view.changes.is_empty() && view.details.is_empty() {
        return format!("{name}  the file says what is running");
    }
    let mut lines =
        vec![format!("{name}  a reload would do this; all other tunnels do not notice")];
    let room = look.width.saturating_sub(4);
    for ChangeView { what, names } in &view.changes {
        lines.extend(indented(&format!("{what}: {}", names.join(", ")), room));
    }
    for detail in &view.details {
        let detail = indented(detail, room);
        lines.extend(detail.map(|line| look.paint(FAINT, &line)));
    }
    lines.join("\n")
}

fn indented(text: &str, room: usize) -> impl Iterator<Item = String> {
    let lines = wrapped(text, room).into_iter().enumerate();
    lines.map(|(index, line)| if index == 0 { format!("  {line}") } else { format!("    {line}") })
}

fn separated(view: &PlanView) -> String {
    let gateway = &view.gateway;
    let changes = view.changes.iter().flat_map(|ChangeView { what, names }| {
        names.iter().map(move |name| format!("{gateway}\t{what}\t{name}"))
    });
    let details = view.details.iter().map(|detail| format!("{gateway}\tkey\t{detail}"));
    let refused = view.refused.iter().map(|why| format!("{gateway}\trefused\t{why}"));
    changes.chain(details).chain(refused).collect::<Vec<_>>().join("\n")
}
