package e2e

import (
	"archive/tar"
	"testing"
)

func hostileKinds(t *testing.T) []hostileCase {
	special := func(name string, mode uint32, content, refused string) hostileEntry {
		return hostileEntry{name: name, mode: mode, content: content, refused: refused}
	}
	link := func(name, to string, kind byte) hostileEntry {
		return hostileEntry{name: name, header: tar.Header{Typeflag: kind, Linkname: to}, refused: "symlink"}
	}
	device := func(name string, kind byte) hostileEntry {
		return hostileEntry{name: name, header: tar.Header{Typeflag: kind, Devmajor: 1, Devminor: 3},
			refused: "device"}
	}
	good := hostileEntry{name: "good.txt", content: "good"}
	return []hostileCase{
		{
			name:    "symbolic links in a ZIP, and files below them",
			outcome: "links are refused, their targets kept as bytes; files are documents",
			exit:    5, codes: []string{"warning entry-refused"},
			entries: []hostileEntry{
				special("link", 0o120777, "/etc/passwd", "symlink"), special("up", 0o120777, "../../../..",
					"symlink"),
				special("dir", 0o120777, "OUTSIDE", "symlink"), {name: "dir/evil.txt",
					content: "through the link"}, good,
			},
		},
		{
			name: "devices, pipes and sockets in a ZIP", outcome: "refused, bytes kept", exit: 5,
			codes: []string{"warning entry-refused"},
			entries: []hostileEntry{special("sda", 0o060666, "x", "device"), special("tty", 0o020666, "y",
				"device"),
				special("pipe", 0o010666, "z", "device"), special("socket", 0o140666, "s", "device"), good},
		},
		{
			name: "symbolic and hard links in a tar, and files below them", file: "attachments.tar", exit: 5,
			outcome: "links are refused, their headers kept; files are documents",
			codes:   []string{"warning entry-refused"},
			entries: []hostileEntry{
				link("link", "/etc/passwd", tar.TypeSymlink), link("hard", "/etc/shadow", tar.TypeLink),
				link("dir", "OUTSIDE", tar.TypeSymlink), {name: "dir/evil.txt", content: "through the link"},
				link("good.txt", "../../../x", tar.TypeSymlink), good, link("again", "good.txt",
					tar.TypeLink),
			},
		},
		{
			name: "devices and pipes in a tar", file: "attachments.tar", outcome: "refused, headers kept", exit: 5,
			codes: []string{"warning entry-refused"},
			entries: []hostileEntry{device("null", tar.TypeChar), device("sda", tar.TypeBlock), device("pipe",
				tar.TypeFifo), good},
		},
		{
			name: "names in a tar that lead upwards, absolute names, one name twice", file: "attachments.tar",
			outcome: namesAreData,
			entries: documentsNamed("../../evil.txt", "OUTSIDE/evil.txt", "/etc/cron.d/evil", "same.txt",
				"same.txt", "CON"),
		},
		{
			name: "encrypted entries among others", outcome: "refused, ciphertext kept; the others are documents",
			exit:  5,
			codes: []string{"warning locked-document"},
			entries: []hostileEntry{
				{name: "zipcrypto.pdf", content: "ciphertext 1", flags: 1, refused: "encrypted"},
				{name: "strong.pdf", content: "ciphertext 2", flags: 1 | 1<<6, refused: "encrypted"},
				{name: "aes.pdf", content: "ciphertext 3", flags: 1, method: 99, refused: "encrypted",
					extra: string(little(uint16(0x9901), uint16(7), uint16(2), "AE", byte(3), uint16(8)))},
				good,
			},
		},
		{
			name: "methods that nobody reads", outcome: "refused, stored bytes kept", exit: 5,
			codes: []string{"warning entry-refused"},
			entries: []hostileEntry{
				{name: "imploded", content: "i", method: 6, refused: "unknown-method"},
				{name: "deflate64", content: "d", method: 9, refused: "unknown-method"},
				{name: "lzma", content: "l", method: 14, refused: "unknown-method"},
				{name: "xz", content: "x", method: 95, refused: "unknown-method"},
				{name: "none", content: "n", method: 0xffff, refused: "unknown-method"}, good,
			},
		},
	}
}
