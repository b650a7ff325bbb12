package notify

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
)

// Max sends by a bot of the messenger MAX.
func Max(c BotConfig) *Bot {
	header := func() http.Header { return http.Header{"Authorization": {c.Token}} }
	return &Bot{
		Channel: &Channel{Name: "max", Address: contact("max"), Send: func(ctx context.Context, m Message) Outcome {
			var a struct {
				Message json.RawMessage `json:"message"`
			}
			out := askJSON(ctx, c.Client, c.API+"/messages?chat_id="+url.QueryEscape(m.To), header(), map[string]string{"text": m.Text}, &a)
			if out.Err == nil && len(a.Message) == 0 {
				out.Err = errors.New("the answer names no message")
			}
			return out
		}},
		Link:   func(code string) string { return "https://max.ru/" + c.Name + "?start=" + code },
		Header: "X-Max-Bot-Api-Secret",
		Register: func(ctx context.Context, url, secret string) error {
			var a struct {
				Success bool   `json:"success"`
				Message string `json:"message"`
			}
			out := askJSON(ctx, c.Client, c.API+"/subscriptions", header(),
				map[string]any{"url": url, "secret": secret, "update_types": []string{"bot_started"}}, &a)
			if out.Err == nil && !a.Success {
				return errors.New("refused: " + a.Message)
			}
			return out.Err
		},
		Started: func(update []byte) (chat, code string) {
			var u struct {
				Type    string `json:"update_type"`
				Chat    int64  `json:"chat_id"`
				Payload string `json:"payload"`
			}
			if json.Unmarshal(update, &u) != nil || u.Type != "bot_started" || u.Payload == "" {
				return "", ""
			}
			return strconv.FormatInt(u.Chat, 10), u.Payload
		},
	}
}
