//! What becomes of a packet to an address, step by step.

use super::super::look::{BAD, FAINT, GOOD, Look, STRONG};
use super::super::sheet::wrapped;
use crate::control::{StepView, WayView, WhyView};

/// Width of the column of steps.
const STEPS: usize = 10;

/// Whether the packet arrives, in one VPC at least.
pub(in super::super) fn arrives(view: &WhyView) -> bool {
    view.ways.iter().any(|way| way.arrives)
}

/// The ways of a packet in the VPCs of a gateway.
pub(in super::super) fn why(view: &WhyView, look: Look) -> String {
    if !look.for_people() {
        return separated(view);
    }
    let gateway = look.paint(STRONG, &view.gateway);
    let packet = match view.from {
        Some(from) => format!("{from} → {}", view.to),
        None => format!("→ {}", view.to),
    };
    if view.ways.is_empty() {
        let nobody = look.paint(BAD, "no VPC has to do with it: no prefix, no `accept` covers it");
        return format!("{gateway}  {packet}\n  {nobody}");
    }
    let ways = view.ways.iter().map(|way| as_text(way, look));
    format!("{gateway}  {packet}\n{}", ways.collect::<Vec<_>>().join("\n"))
}

fn as_text(way: &WayView, look: Look) -> String {
    let (style, fact) = match (way.arrives, way.through.as_str()) {
        (true, "here") => (GOOD, "stays here".to_owned()),
        (true, through) => (GOOD, format!("goes through {through}")),
        (false, "nobody") => (BAD, "goes nowhere".to_owned()),
        (false, through) => (BAD, format!("would go through {through}, and does not arrive")),
    };
    let mut lines = vec![format!("  VPC {}: {}", way.vpc, look.paint(style, &fact))];
    for StepView { step, says, passes } in &way.steps {
        let mut name = look.paint(FAINT, &format!("{step:STEPS$}"));
        for line in wrapped(says, look.width.saturating_sub(STEPS + 4)) {
            let line = if *passes { line } else { look.paint(BAD, &line) };
            lines.push(format!("    {name}{line}"));
            name = " ".repeat(STEPS);
        }
    }
    lines.join("\n")
}

fn separated(view: &WhyView) -> String {
    let line = |way: &WayView, step: &StepView| {
        let passes = if step.passes { "passes" } else { "ends" };
        [view.gateway.as_str(), &way.vpc, &way.through, &step.step, passes, &step.says].join("\t")
    };
    let lines = view.ways.iter().flat_map(|way| way.steps.iter().map(|step| line(way, step)));
    lines.collect::<Vec<_>>().join("\n")
}
