"""`python3 -m gateways.installer.ova`: packs the installer's OVA around a disk. Not used on the VM."""
