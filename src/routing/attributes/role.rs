//! What two ASes are to each other, and the mark that keeps routes from leaking between them (RFC 9234).

use super::{Attributes, TransitiveAttribute};
use crate::net::Asn;
use std::fmt;
use std::str::FromStr;

/// What we are to a neighbour of another AS (RFC 9234 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// It pays us for transit: it may hear everything.
    Provider,
    /// We serve it routes of others at an exchange.
    RouteServer,
    /// It serves us routes of others at an exchange.
    RouteServerClient,
    /// We pay it for transit.
    Customer,
    /// Neither gives the other transit.
    Peer,
}

/// Attribute code of Only to Customer (RFC 9234 §5).
const ONLY_TO_CUSTOMER: u8 = 35;

/// The roles with their names here and their values on the wire.
const ROLES: [(Role, &str, u8); 5] = [
    (Role::Provider, "provider", 0),
    (Role::RouteServer, "rs", 1),
    (Role::RouteServerClient, "rs-client", 2),
    (Role::Customer, "customer", 3),
    (Role::Peer, "peer", 4),
];

impl Role {
    /// Every role.
    #[cfg(test)]
    pub const ALL: [Role; 5] =
        [Role::Provider, Role::RouteServer, Role::RouteServerClient, Role::Customer, Role::Peer];

    /// What a neighbour is to whom we are this.
    pub fn counterpart(self) -> Role {
        match self {
            Role::Provider => Role::Customer,
            Role::Customer => Role::Provider,
            Role::RouteServer => Role::RouteServerClient,
            Role::RouteServerClient => Role::RouteServer,
            Role::Peer => Role::Peer,
        }
    }

    /// Its value in the capability.
    pub fn code(self) -> u8 {
        ROLES.iter().find(|(role, ..)| *role == self).map_or(u8::MAX, |(.., code)| *code)
    }

    /// Whether a route of a neighbour of AS `remote` has come a way that it should not have (§5).
    pub fn sees_leak(self, route: &Attributes, remote: Asn) -> bool {
        match (self, route.only_to_customer()) {
            (_, None) => false,
            (Role::Provider | Role::RouteServer, Some(_)) => true,
            (Role::Peer, Some(marked)) => marked != remote,
            (Role::Customer | Role::RouteServerClient, Some(_)) => false,
        }
    }

    /// Whether a route that such a neighbour has announced goes on to customers only (§5).
    pub fn marks_what_comes(self) -> bool {
        matches!(self, Role::Customer | Role::Peer | Role::RouteServerClient)
    }

    /// Whether such a neighbour hears of a route at all, which may be for customers only (§5).
    pub fn may_tell(self, route: &Attributes) -> bool {
        let upwards = matches!(self, Role::Customer | Role::Peer | Role::RouteServerClient);
        !(upwards && route.only_to_customer().is_some())
    }

    /// Whether what such a neighbour hears goes on to its customers only (§5).
    pub fn marks_what_goes(self) -> bool {
        matches!(self, Role::Provider | Role::Peer | Role::RouteServer)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ROLES.iter().find(|(role, ..)| role == self).map_or("", |(_, name, _)| name))
    }
}

impl FromStr for Role {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        ROLES.iter().find(|(_, name, _)| *name == text).map(|(role, ..)| *role).ok_or(())
    }
}

/// The name of a role by its value on the wire.
pub fn role_name(code: u8) -> String {
    let known = ROLES.iter().find(|(.., known)| *known == code);
    known.map_or_else(|| format!("role {code}"), |(_, name, _)| (*name).to_owned())
}

impl Attributes {
    /// The AS behind which the route is for customers only; a codec vouches for the length.
    pub fn only_to_customer(&self) -> Option<Asn> {
        let mark = self.transitive.iter().find(|attribute| attribute.code == ONLY_TO_CUSTOMER)?;
        Some(Asn(u32::from_be_bytes(mark.body.as_slice().try_into().ok()?)))
    }

    /// The route with that mark, unless it has one.
    pub fn marked_for_customers(mut self, asn: Asn) -> Attributes {
        if self.only_to_customer().is_none() {
            let (code, body) = (ONLY_TO_CUSTOMER, asn.0.to_be_bytes().to_vec());
            self.transitive.push(TransitiveAttribute { code, partial: false, body });
            self.transitive.sort();
        }
        self
    }
}

#[cfg(test)]
mod tests;
