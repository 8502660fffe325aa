//! Every prefix, the peer that its traffic goes to, and why.

use super::super::look::Look;
use super::super::sheet::{Cell, Sheet, Tone};
use super::titled;
use crate::control::{PathView, RejectedRouteView, RouteView, RoutesView, ShareView};

/// The routes of a gateway, VPC by VPC, and below them what peers announced in vain.
pub(in super::super) fn routes(view: &RoutesView, look: Look) -> String {
    let mut sheet =
        Sheet::new(&["GATEWAY", "VPC", "PREFIX", "THROUGH", "ALTERNATIVES", "AS PATH", "REASON"])
            .spare(&["AS PATH"])
            .folding(&["REASON", "ALTERNATIVES"]);
    for vpc in &view.vpcs {
        for route in &vpc.routes {
            sheet.row(line(&view.gateway, &vpc.vpc, route));
        }
        for route in &vpc.rejected {
            sheet.row(rejected(&view.gateway, &vpc.vpc, route));
        }
    }
    if look.aligned && view.vpcs.len() < 2 {
        sheet = sheet.without("VPC");
    }
    titled(&view.gateway, "", "no routes", sheet, look)
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
        (Some(router), _) if route.next_hop.is_some() => {
            Cell::from(format!("router {router}")).tone(Tone::Good)
        }
        (Some(_), _) if !route.shared.is_empty() => {
            let share = |share: &ShareView| format!("{} {:.0} %", share.peer, share.percent);
            let shares: Vec<String> = route.shared.iter().map(share).collect();
            Cell::from(shares.join(", ")).tone(Tone::Good)
        }
        (Some(peer), _) => Cell::from(peer.as_str()).tone(Tone::Good),
        (None, true) => Cell::from("here"),
        (None, false) => Cell::from("nobody").tone(Tone::Bad),
    }
}

/// The other paths in their order, those without a tunnel in brackets.
fn alternatives(route: &RouteView) -> Option<String> {
    let is_in_use = |path: &PathView| {
        let shares = route.shared.iter().any(|share| share.peer == path.peer);
        shares || Some(&path.peer) == route.active.as_ref()
    };
    let others = route.paths.iter().filter(|path| !is_in_use(path));
    let name = |path: &PathView| match path.usable {
        true => path.peer.clone(),
        false => format!("({})", path.peer),
    };
    let names: Vec<String> = others.map(name).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

/// A prefix that a peer announced and that is not used, in the columns of the others.
fn rejected(gateway: &str, vpc: &str, route: &RejectedRouteView) -> [Cell; 7] {
    [
        gateway.into(),
        vpc.into(),
        route.prefix.to_string().into(),
        Cell::from("rejected").tone(Tone::Warning),
        format!("({})", route.peer).into(),
        Cell::optional(None::<&str>),
        route.reason.as_str().into(),
    ]
}
