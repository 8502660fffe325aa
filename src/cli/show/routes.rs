//! Every prefix, the peer that its traffic goes to, and why.

use super::super::look::{Look, STRONG};
use super::super::sheet::{Cell, Sheet, Tone};
use super::titled;
use crate::control::{PathView, RouteView, RoutesView, VpcRoutes};

/// The routes of a gateway, VPC by VPC.
pub(in super::super) fn routes(view: &RoutesView, look: Look) -> String {
    let mut sheet =
        Sheet::new(&["GATEWAY", "VPC", "PREFIX", "THROUGH", "ALTERNATIVES", "AS PATH", "REASON"]);
    for vpc in &view.vpcs {
        for route in &vpc.routes {
            sheet.row(line(&view.gateway, &vpc.vpc, route));
        }
    }
    let mut text = titled(&view.gateway, "", "no routes", sheet, look);
    let rejected = rejected(view);
    if !rejected.is_empty() {
        let heading = if look.aligned { look.paint(STRONG, "rejected") } else { String::new() };
        let rejected = if look.aligned { rejected.without("GATEWAY") } else { rejected };
        text += &format!("\n{heading}\n{}", rejected.render(look));
    }
    text
}

fn line(gateway: &str, vpc: &str, route: &RouteView) -> [Cell; 7] {
    let active = route.paths.iter().find(|path| Some(&path.peer) == route.active.as_ref());
    [
        gateway.into(),
        vpc.into(),
        route.prefix.to_string().into(),
        through(route),
        Cell::optional(alternatives(route)),
        Cell::optional(active.map(|path| &path.as_path).filter(|path| !path.is_empty())),
        route.reason.as_str().into(),
    ]
}

fn through(route: &RouteView) -> Cell {
    match (&route.active, route.local) {
        (Some(peer), _) => Cell::from(peer.as_str()).tone(Tone::Good),
        (None, true) => Cell::from("here"),
        (None, false) => Cell::from("nobody").tone(Tone::Bad),
    }
}

/// The other paths in their order, those without a tunnel in brackets.
fn alternatives(route: &RouteView) -> Option<String> {
    let others = route.paths.iter().filter(|path| Some(&path.peer) != route.active.as_ref());
    let name = |path: &PathView| match path.usable {
        true => path.peer.clone(),
        false => format!("({})", path.peer),
    };
    let names: Vec<String> = others.map(name).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

fn rejected(view: &RoutesView) -> Sheet {
    let mut sheet = Sheet::new(&["GATEWAY", "VPC", "PREFIX", "FROM", "REASON"]);
    let of = |vpc: &VpcRoutes| (vpc.vpc.clone(), vpc.rejected.clone());
    for (vpc, routes) in view.vpcs.iter().map(of) {
        for route in routes {
            let reason = Cell::from(route.reason).tone(Tone::Warning);
            let (gateway, prefix) = (view.gateway.as_str().into(), route.prefix.to_string().into());
            sheet.row([gateway, vpc.as_str().into(), prefix, route.peer.into(), reason]);
        }
    }
    sheet
}
