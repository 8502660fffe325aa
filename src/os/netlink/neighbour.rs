//! What the kernel knows of the stations of a link (RFC 4861 §5.1).

use anyhow::{Context, Result};
use futures::TryStreamExt;
use nix::errno::Errno;
use rtnetlink::packet_route::neighbour::{NeighbourMessage, NeighbourState};

use super::{Netlink, unless};

impl Netlink {
    /// Has the kernel forget the stations of a device that have not answered: while there was no carrier nobody
    /// could, and the kernel would go on asking once a second only. The next packet to one of them asks at once.
    pub async fn forget_unanswering(&self, index: u32) -> Result<()> {
        let answers = self.handle.neighbours().get().execute();
        let known: Vec<NeighbourMessage> =
            answers.try_collect().await.context("listing neighbours")?;
        for message in known.into_iter().filter(|one| one.header.ifindex == index && is_asked(one))
        {
            let forgotten = self.handle.neighbours().del(message).execute().await;
            unless(forgotten, &[Errno::ENOENT, Errno::ENODEV]).context("forgetting a neighbour")?;
        }
        Ok(())
    }
}

/// Whether its Ethernet address is wanted and not known.
fn is_asked(message: &NeighbourMessage) -> bool {
    matches!(message.header.state, NeighbourState::Incomplete | NeighbourState::Failed)
}
