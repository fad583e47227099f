"""The demo's vCenter: the lab's simulator and its guest player, with a login and certificate that stay."""
