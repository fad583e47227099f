package main

import (
	"strings"

	"github.com/vmware/govmomi/vim25/types"
)

// Keys that begin with "SET." are the simulator's way to write a property of the guest.
const guestPrefix = "SET."

func guestOnly(options []types.BaseOptionValue) []types.BaseOptionValue {
	return having(options, true)
}

func ordinary(options []types.BaseOptionValue) []types.BaseOptionValue {
	return having(options, false)
}

func having(options []types.BaseOptionValue, guest bool) []types.BaseOptionValue {
	var kept []types.BaseOptionValue
	for _, option := range options {
		if strings.HasPrefix(option.GetOptionValue().Key, guestPrefix) == guest {
			kept = append(kept, option)
		}
	}
	return kept
}

// mergeOptions replaces by key; an empty value removes the key, as vCenter does. The library's own
// mark on every machine is left out.
func mergeOptions(have, wanted []types.BaseOptionValue) []types.BaseOptionValue {
	merged := []types.BaseOptionValue{}
	changed := map[string]bool{}
	for _, option := range wanted {
		changed[option.GetOptionValue().Key] = true
	}
	for _, option := range have {
		if !changed[option.GetOptionValue().Key] && option.GetOptionValue().Key != "govcsim" {
			merged = append(merged, option)
		}
	}
	for _, option := range wanted {
		if option.GetOptionValue().Value != "" && option.GetOptionValue().Value != nil {
			merged = append(merged, option)
		}
	}
	return merged
}

// mergeProperties changes vApp properties by key, or by id where an edit names no known key.
func mergeProperties(have types.BaseVmConfigInfo, wanted types.BaseVmConfigSpec) types.BaseVmConfigInfo {
	if have == nil && wanted == nil {
		return nil
	}
	merged := &types.VmConfigInfo{}
	if have != nil {
		*merged = *have.GetVmConfigInfo()
		merged.Property = append([]types.VAppPropertyInfo{}, merged.Property...)
	}
	if wanted == nil {
		return merged
	}
	spec := wanted.GetVmConfigSpec()
	if len(spec.OvfEnvironmentTransport) > 0 {
		merged.OvfEnvironmentTransport = spec.OvfEnvironmentTransport
	}
	for _, property := range spec.Property {
		merged.Property = mergeProperty(merged.Property, property)
	}
	return merged
}

func mergeProperty(have []types.VAppPropertyInfo, wanted types.VAppPropertySpec) []types.VAppPropertyInfo {
	if wanted.Info == nil {
		return have
	}
	for i := range have {
		if have[i].Key == wanted.Info.Key || (wanted.Info.Id != "" && have[i].Id == wanted.Info.Id) {
			if wanted.Info.Value != "" {
				have[i].Value = wanted.Info.Value
			}
			return have
		}
	}
	return append(have, *wanted.Info)
}
