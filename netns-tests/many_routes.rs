//! Very many routes, as `vpngw::os::netlink` hands them to the kernel.
//!
//! ```text
//!   a namespace with one device, eth9, that leads to 10.9.0.0/24
//! ```

use std::net::Ipv4Addr;
use std::time::Duration;

use vpngw::lab::wait_for;
use vpngw::net::Prefix;
use vpngw::os::netlink::{Loss, LossWatch, Netlink, Route, RouteChange, Via};
use vpngw::os::netns;

use crate::support::unique_prefix;

const TABLE: u32 = 7979;
const MANY: u32 = 2000;

/// A namespace that goes with the test.
struct Place(String);

impl Place {
    fn new() -> Place {
        let place = Place(format!("{}routes", unique_prefix()));
        netns::create(&place.0).unwrap();
        for words in [
            "link set lo up",
            "link add eth9 type veth peer name far9",
            "addr add 10.9.0.1/24 dev eth9",
            "link set far9 up",
            "link set eth9 up",
        ] {
            let mut ip = std::process::Command::new("ip");
            assert!(ip.args(["-n", &place.0]).args(words.split(' ')).status().unwrap().success());
        }
        place
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = netns::delete(&self.0);
    }
}

fn route(number: u32) -> Route {
    let address = Ipv4Addr::from(0x1400_0000 + (number << 8));
    let prefix = Prefix::containing(address.into(), 24).unwrap();
    Route::new(prefix, Via::Device("eth9".to_owned())).in_table(TABLE).with_metric(500)
}

/// As many routes as there are, every hundredth of which the kernel must refuse: it does not know the
/// way to the router.
fn changes() -> Vec<RouteChange> {
    let change = |number| match number % 100 {
        50 => Route { via: Via::Gateway([192, 0, 2, 1].into()), ..route(number) },
        // A source that the host does not have is left away.
        51 => Route { source: Some([192, 0, 2, 9].into()), ..route(number) },
        _ => route(number),
    };
    (0..MANY).map(change).map(RouteChange::Set).collect()
}

/// The next route that goes. The device is new: that its addresses come to be is told, too.
async fn next_route(watch: &mut LossWatch) -> Option<Route> {
    loop {
        if let Loss::Route(route) = watch.next().await? {
            return Some(route);
        }
    }
}

#[test]
fn each_refusal_belongs_to_its_route_and_what_else_is_asked_for_stands() {
    let place = Place::new();
    let check = async {
        let netlink = Netlink::open(Some(&place.0))?;
        let outcomes = netlink.change_routes(changes()).await;
        for (number, outcome) in outcomes.iter().enumerate() {
            assert_eq!(outcome.is_err(), number % 100 == 50, "{number}: {outcome:?}");
        }
        let words = format!("{:#}", outcomes[50].as_ref().unwrap_err());
        assert_eq!(words, "adding a route to 20.0.50.0/24: Network is unreachable (os error 101)");
        let stand = netlink.our_routes().await?;
        assert_eq!(stand.len() as u32, MANY - MANY / 100);
        assert!(stand.iter().all(|route| route.source.is_none() && route.table == TABLE));
        // What is not there needs no removal.
        let all = (0..MANY).map(route).map(RouteChange::Remove).collect();
        assert!(netlink.change_routes(all).await.iter().all(Result::is_ok));
        assert!(netlink.our_routes().await?.is_empty());
        Ok(())
    };
    wait_for(check).unwrap();
}

#[test]
fn what_we_change_ourselves_is_no_loss_and_what_others_take_away_is() {
    let place = Place::new();
    let check = async {
        let netlink = Netlink::open(Some(&place.0))?;
        let mut watch = LossWatch::open(Some(&place.0), netlink.author())?;
        let both = vec![RouteChange::Set(route(1)), RouteChange::Set(route(2))];
        netlink.change_routes(both).await.into_iter().collect::<anyhow::Result<()>>()?;
        let own = vec![RouteChange::Remove(route(1))];
        netlink.change_routes(own).await.into_iter().collect::<anyhow::Result<()>>()?;
        let other = Netlink::open(Some(&place.0))?;
        let taken = vec![RouteChange::Remove(route(2))];
        other.change_routes(taken).await.into_iter().collect::<anyhow::Result<()>>()?;
        let gone = tokio::time::timeout(Duration::from_secs(5), next_route(&mut watch)).await?;
        assert_eq!(gone.map(|route| route.prefix), Some(route(2).prefix));
        Ok(())
    };
    wait_for(check).unwrap();
}
