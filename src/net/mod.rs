//! Addresses as values: prefixes and how they stand for each other, longest-prefix maps, address ranges, and the numbers by which
//! the parts of a gateway name things to each other. No socket and no protocol lives here.

mod carrier;
mod community;
mod dscp;
mod ethernet;
mod host_name;
mod ids;
mod interface;
mod map;
mod mapping;
mod prefix;
mod range;
mod set;

pub use carrier::{Encapsulation, StreamWay, is_streamed, streamed};
pub use community::{Community, ParseCommunityError};
pub use dscp::{Dscp, OuterDscp, ParseDscpError};
pub use ethernet::{EtherType, MacAddress};
pub use host_name::{HostName, ParseHostNameError};
pub use ids::{Asn, EspSpi, PeerId, RemoteId, VpcId};
pub use interface::{InterfaceAddress, ParseInterfaceAddressError};
pub use map::PrefixMap;
pub use mapping::{Mapping, Mappings};
pub use prefix::{ParsePrefixError, Prefix};
pub use range::AddressRange;
pub use set::PrefixSet;
