package eploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// discover finds out what records of a type consist of.
func (p *pull) discover(ctx context.Context, g *progress, ids []string, tag string) error {
	if g.fixed {
		return p.accept(ctx, g, g.blocks, tag)
	}
	names := map[string]string{}
	for _, id := range ids[:min(3, len(ids))] {
		r, err := p.get(ctx, g, "get"+tag+"/"+id, id)
		if err != nil {
			return err
		}
		if r.Status == http.StatusOK {
			body, err := p.journal.body(r)
			if err != nil {
				return err
			}
			names = members(body)
		}
		if len(names) > 0 {
			break
		}
	}
	if len(names) == 0 {
		p.find(BlockRefused, Warning, g.listing,
			"no record of %s can be read alone: only the parts that are known are asked for", g.name)
	}
	for _, b := range append([]string{g.record + "Id"}, g.blocks...) {
		if _, ok := names[strings.ToLower(b)]; !ok {
			names[strings.ToLower(b)] = b
		}
	}
	return p.accept(ctx, g, slices.Sorted(maps.Values(names)), tag)
}

func (p *pull) get(ctx context.Context, g *progress, step, id string) (*Receipt, error) {
	p.part = g.name
	return p.ask(ctx, request{
		step: g.name + "/" + step, method: http.MethodGet, path: g.path + "/" + url.PathEscape(id),
		file: strings.ReplaceAll(g.name, ".", "-") + "-single",
		usable: func(body []byte, r *Receipt) error {
			if !json.Valid(body) {
				return errNotJSON
			}
			r.Members = membersOf([]json.RawMessage{body}, 0)
			return nil
		},
	})
}

// accept settles which blocks are asked for: all, but for those that the system refuses.
func (p *pull) accept(ctx context.Context, g *progress, blocks []string, tag string) error {
	for _, b := range blocks {
		if strings.EqualFold(b, g.record+"Id") || strings.EqualFold(b, "Id") {
			g.idBlock = b
		}
	}
	for {
		ok, r, err := p.try(ctx, g, blocks, tag)
		if err != nil {
			return err
		}
		if ok {
			break
		}
		body, err := p.journal.body(r)
		if err != nil {
			return err
		}
		named := func(b string) bool {
			return strings.Contains(strings.ToLower(string(body)), "'"+strings.ToLower(b)+"'")
		}
		if slices.ContainsFunc(blocks, named) {
			p.drop(g, blocks, named)
			blocks = slices.DeleteFunc(slices.Clone(blocks), named)
			continue
		}
		kept, err := p.halve(ctx, g, blocks, tag)
		if err != nil {
			return err
		}
		p.drop(g, blocks, func(b string) bool { return !slices.Contains(kept, b) })
		blocks = kept
		break
	}
	g.asked = blocks
	return nil
}

func (p *pull) drop(g *progress, blocks []string, is func(string) bool) {
	for _, b := range blocks {
		if is(b) {
			p.find(BlockRefused, Info, g.listing, "the system does not answer the part %s of %s", b, g.name)
		}
	}
}

// try asks for one record with some blocks.
func (p *pull) try(ctx context.Context, g *progress, blocks []string, tag string) (bool, *Receipt, error) {
	sum := sha256.Sum256([]byte(strings.Join(blocks, "\n")))
	_, r, err := p.search(ctx, search{g: g, pass: "blocks", step: "blocks" + tag + "/" +
		hex.EncodeToString(sum[:4]),
		page: 1, size: 1, blocks: blocks})
	if err != nil {
		return false, nil, err
	}
	if r.Status != http.StatusOK && r.Status != http.StatusBadRequest {
		return false, nil, p.refused(g, r, "a search")
	}
	return r.Status == http.StatusOK, r, nil
}

// halve finds the blocks that are answered where a refusal does not name those that are not.
func (p *pull) halve(ctx context.Context, g *progress, blocks []string, tag string) ([]string, error) {
	if len(blocks) == 1 {
		return nil, nil // refused alone
	}
	var kept []string
	for _, half := range [][]string{blocks[:len(blocks)/2], blocks[len(blocks)/2:]} {
		withID := half
		if !slices.Contains(half, g.idBlock) {
			withID = append([]string{g.idBlock}, half...)
		}
		ok, _, err := p.try(ctx, g, withID, tag)
		if err != nil {
			return nil, err
		}
		if !ok {
			if half, err = p.halve(ctx, g, half, tag); err != nil {
				return nil, err
			}
		}
		kept = append(kept, half...)
	}
	return kept, nil
}
