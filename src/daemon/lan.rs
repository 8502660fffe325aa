//! The interfaces towards hosts: a task per interface carries what the virtual routers want to
//! its sockets, and what comes from there to the gateway.
//!
//! Nothing is decided here, and no time is kept: when an announcement is repeated or an interface
//! is looked at again, the gateway says so.

mod interface;

use super::world::Place;
use crate::config::Outline;
use crate::gateway::{LinkState, VrrpOutput};
use crate::net::VpcId;
use interface::{Command, Interface};
use std::collections::BTreeMap;
use std::net::IpAddr;
use tokio::sync::mpsc;
use tracing::warn;

/// Events that wait for the gateway before an interface is no longer read.
const BACKLOG: usize = 256;

/// What happened on an interface.
#[derive(Debug)]
pub(super) enum LanEvent {
    /// What its state is.
    Link(LinkState),
    /// Its state could not be seen.
    Unseen {
        /// The VPC.
        vpc: VpcId,
        /// The interface.
        interface: String,
    },
    /// A VRRP packet came in.
    Vrrp {
        /// The VPC.
        vpc: VpcId,
        /// The interface.
        interface: String,
        /// Who sent it.
        source: IpAddr,
        /// The packet.
        bytes: Vec<u8>,
    },
    /// A neighbour frame came in.
    Frame {
        /// The VPC.
        vpc: VpcId,
        /// The interface.
        interface: String,
        /// The frame.
        bytes: Vec<u8>,
    },
}

/// All interfaces towards hosts.
#[derive(Debug)]
pub(super) struct Lans {
    places: BTreeMap<VpcId, Place>,
    commands: BTreeMap<(VpcId, String), mpsc::UnboundedSender<Command>>,
    events: mpsc::Sender<LanEvent>,
}

impl Lans {
    /// No interfaces yet; what happens on them comes out of the receiver.
    pub(super) fn new(mut places: BTreeMap<VpcId, Place>) -> (Lans, mpsc::Receiver<LanEvent>) {
        let (events, receiver) = mpsc::channel(BACKLOG);
        // The underlay is where we are, and has no device of ours.
        places.insert(VpcId::UNDERLAY, Place { namespace: None, device: String::new() });
        (Lans { places, commands: BTreeMap::new(), events }, receiver)
    }

    /// From now on this is where a VPC lives.
    pub(super) fn place(&mut self, vpc: VpcId, place: Place) {
        self.places.insert(vpc, place);
    }

    /// Closes the interfaces of VPCs that are gone, or that live elsewhere now.
    pub(super) fn keep_only(&mut self, outline: &Outline) {
        let (vpcs, places) = (&outline.vpcs, &self.places);
        self.commands.retain(|(id, _), _| match (vpcs.get(id), places.get(id)) {
            (Some(vpc), Some(place)) => vpc.netns == place.namespace,
            _ => *id == VpcId::UNDERLAY,
        });
    }

    /// Closes the interfaces in a namespace.
    pub(super) fn leave(&mut self, namespace: &str) {
        let places = &self.places;
        let there =
            |id: &VpcId| places.get(id).is_some_and(|p| p.namespace.as_deref() == Some(namespace));
        self.commands.retain(|(id, _), _| !there(id));
    }

    /// Watches an interface from now on; what is watched already reports its state again.
    pub(super) fn watch(&mut self, vpc: VpcId, interface: &str) {
        self.tell(vpc, interface, Command::Report);
    }

    /// Does what a virtual router wants.
    pub(super) fn carry_out(&mut self, output: VrrpOutput) {
        let (vpc, interface) = output.place();
        let interface = interface.to_owned();
        if let VrrpOutput::Leave { .. } = output {
            self.commands.remove(&(vpc, interface));
            return;
        }
        self.tell(vpc, &interface, Command::Vrrp(output));
    }

    fn tell(&mut self, vpc: VpcId, interface: &str, command: Command) {
        let key = (vpc, interface.to_owned());
        if !self.commands.contains_key(&key) {
            let Some(place) = self.places.get(&vpc) else { return };
            match Interface::open(vpc, interface, place.namespace.clone()) {
                Ok(opened) => {
                    let (commands, queue) = mpsc::unbounded_channel();
                    tokio::spawn(opened.run(queue, self.events.clone()));
                    self.commands.insert(key.clone(), commands);
                }
                Err(error) => warn!(
                    interface,
                    error = format!("{error:#}"),
                    "the interface cannot be watched; its virtual routers do not run"
                ),
            }
        }
        if let Some(commands) = self.commands.get(&key) {
            let _ = commands.send(command);
        }
    }
}
